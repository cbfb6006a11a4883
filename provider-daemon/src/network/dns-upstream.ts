/** Asks other resolvers, over UDP or TCP, one socket a question: its random port is half of what an answer must guess. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import * as dns from 'dns-packet';
import { failed, type Query, type Reply, rcodes, writeQuery } from './dns-messages.ts';
import { filterAnswer, isAnswerTo } from './resolver-zone.ts';

export interface UpstreamAddress {
  readonly address: string;
  readonly port: number;
}

export interface UpstreamLimits {
  /** Questions on their way at once; one more gets SERVFAIL. */
  readonly maxQueries: number;
  /** For each resolver that is asked. */
  readonly timeoutMs: number;
  /** Largest answer that is read. */
  readonly maxAnswerBytes: number;
  /** Records of an answer that are passed on. */
  readonly maxRecords: number;
}

export const upstreamLimits: UpstreamLimits = {
  maxQueries: 64,
  timeoutMs: 2000,
  maxAnswerBytes: 16 * 1024,
  maxRecords: 64,
};

export type Transport = 'udp' | 'tcp';

/** One exchange: resolves with the first answer that `accept` takes, with undefined where none comes in time. */
interface Exchange {
  readonly upstream: UpstreamAddress;
  readonly question: Buffer;
  readonly limits: UpstreamLimits;
  readonly signal: AbortSignal;
  /** @returns undefined for what is not the answer: a datagram may be anybody's */
  accept(bytes: Buffer): Reply | undefined;
}

export class Upstream {
  readonly #upstreams: readonly UpstreamAddress[];
  readonly #limits: UpstreamLimits;
  readonly #closing = new AbortController();
  #open = 0;

  constructor(upstreams: readonly UpstreamAddress[], limits: UpstreamLimits) {
    this.#upstreams = upstreams;
    this.#limits = limits;
  }

  /** Asks one resolver after the other until one answers. Never throws: what cannot be had is SERVFAIL. */
  async ask(query: Query, transport: Transport): Promise<Reply> {
    if (this.#open >= this.#limits.maxQueries) return failed(rcodes.serverFailure);
    this.#open += 1;
    try {
      for (const upstream of this.#upstreams) {
        const reply = await this.#exchange(query, transport, upstream);
        if (reply !== undefined) return reply;
        if (this.#closing.signal.aborted) break;
      }
      return failed(rcodes.serverFailure);
    } finally {
      this.#open -= 1;
    }
  }

  /** Questions on their way get SERVFAIL. */
  close(): void {
    this.#closing.abort();
  }

  #exchange(query: Query, transport: Transport, upstream: UpstreamAddress): Promise<Reply | undefined> {
    const id = randomInt(0x10000);
    const limits = this.#limits;
    const exchange: Exchange = {
      upstream,
      limits,
      question: writeQuery(id, query.question),
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(limits.timeoutMs)]),
      accept: (bytes) => {
        const answer = decode(bytes);
        if (answer === undefined || !isAnswerTo(id, query, answer)) return undefined;
        return filterAnswer(query, answer, limits.maxRecords);
      },
    };
    return transport === 'udp' ? overUdp(exchange) : overTcp(exchange);
  }
}

function decode(bytes: Buffer): dns.DecodedPacket | undefined {
  try {
    return dns.decode(bytes);
  } catch {
    return undefined;
  }
}

function overUdp({ upstream, question, limits, signal, accept }: Exchange): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    let done = false;
    const finish = (reply: Reply | undefined): void => {
      if (done) return;
      done = true;
      signal.removeEventListener('abort', giveUp);
      socket.close();
      resolve(reply);
    };
    const giveUp = (): void => finish(undefined);
    signal.addEventListener('abort', giveUp);
    if (signal.aborted) return giveUp();
    socket.on('error', giveUp);
    socket.on('message', (bytes) => {
      const reply = bytes.length <= limits.maxAnswerBytes ? accept(bytes) : undefined;
      if (reply !== undefined) finish(reply);
    });
    // A connected socket takes datagrams of this server alone.
    socket.connect(upstream.port, upstream.address, () => {
      if (!done) socket.send(question);
    });
  });
}

function overTcp({ upstream, question, limits, signal, accept }: Exchange): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: upstream.address, port: upstream.port });
    let received = Buffer.alloc(0);
    const finish = (reply: Reply | undefined): void => {
      signal.removeEventListener('abort', giveUp);
      socket.destroy();
      resolve(reply);
    };
    const giveUp = (): void => finish(undefined);
    signal.addEventListener('abort', giveUp);
    if (signal.aborted) return giveUp();
    socket.on('error', giveUp);
    socket.on('close', giveUp);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const length = received.readUInt16BE(0);
      if (length > limits.maxAnswerBytes) giveUp();
      else if (received.length >= length + 2) finish(accept(received.subarray(2, length + 2)));
    });
    socket.write(frame(question));
  });
}

/** A message as it travels over TCP: its length in two bytes, then itself. */
export function frame(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
