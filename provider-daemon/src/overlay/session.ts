/** A session of a tunnel over a socket (docs/OVERLAY.md): streams as `StreamRoute` and `DatagramRoute` give and take them. */
import type { Duplex } from 'node:stream';
import { type StreamRoute, splice } from '../network/relay.ts';
import type { DatagramRoute, DatagramSession } from '../network/udp-relay.ts';
import { DatagramFlows } from './datagram-flows.ts';
import { FrameWriter } from './frame-writer.ts';
import { Breach, closeCodes, type Renewal, resetCodes, type StreamKind } from './frames.ts';
import { Heartbeat } from './heartbeat.ts';
import { Mux } from './mux.ts';
import type { MuxEffects } from './mux-effects.ts';
import {
  type SessionCounters,
  type SessionEnd,
  type SessionLimits,
  type SessionOptions,
  sessionLimits,
} from './session-options.ts';
import { resetError } from './stream-reset.ts';
import { TunnelStream } from './tunnel-stream.ts';

const secondMs = 1000;

export class Session implements StreamRoute, DatagramRoute {
  readonly #socket: Duplex;
  readonly #options: SessionOptions;
  readonly #limits: SessionLimits;
  readonly #mux: Mux;
  readonly #writer: FrameWriter;
  readonly #heartbeat: Heartbeat;
  readonly #streams = new Map<number, TunnelStream>();
  readonly #flows: DatagramFlows;
  /** Those that have something to send, in turns, while the socket takes nothing. */
  readonly #waiting = new Set<TunnelStream>();
  readonly #cut = new AbortController();
  #stopTick: () => void;
  #end: SessionEnd | undefined;
  /** That is to be sent when the last one is long enough ago. */
  #renewal: Renewal | undefined;
  #sinceRenewalMs = Number.POSITIVE_INFINITY;
  #opened = 0;
  #failed = 0;
  #sent = 0;
  #received = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#limits = { ...sessionLimits, ...options.limits };
    this.#writer = new FrameWriter(options.socket);
    this.#mux = new Mux(options.role, this.#effects(), this.#limits);
    this.#heartbeat = new Heartbeat(this.#limits, {
      ping: (nonce) => this.#mux.ping(nonce),
      silent: (text) => this.cut(closeCodes.silent, text),
    });
    this.#flows = new DatagramFlows(options.datagrams, {
      send: (id, bytes) => this.#sendDatagram(id, bytes),
      close: (id, code, text) => this.#mux.reset(id, code, text),
    });
    this.#stopTick = options.timers.after(secondMs, this.#tick);
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('drain', () => this.#pump());
    this.#socket.on('error', () => {});
    this.#socket.once('end', () => this.#over({ code: closeCodes.done, text: 'the peer has hung up', byPeer: true }));
    this.#socket.once('close', () =>
      this.#over({ code: closeCodes.done, text: 'the connection broke', byPeer: false }),
    );
    this.#mux.start();
  }

  /** The peer has said hello, and it is not over. */
  get isUp(): boolean {
    return this.#mux.isWelcome && this.#end === undefined;
  }

  /** A caller may open streams: neither side wants it to end. */
  get isTaking(): boolean {
    return this.#mux.isTaking && this.#end === undefined;
  }

  /** Why it is over; undefined while it is not. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  counters(): SessionCounters {
    return {
      open: this.#streams.size + this.#flows.size,
      opened: this.#opened,
      failed: this.#failed,
      sentBytes: BigInt(this.#sent),
      receivedBytes: BigInt(this.#received),
      droppedDatagrams: this.#flows.dropped,
    };
  }

  /** Caller: a stream that can be written to at once. @throws Error where none can be opened */
  async open(signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    this.#requireRoom();
    const stream = this.#add(this.#mux.open('stream'));
    this.#opened += 1;
    return stream;
  }

  /** Caller: a flow of datagrams. @returns undefined where none can be opened */
  openDatagrams(far: { message(bytes: Buffer): void; closed(): void }): DatagramSession | undefined {
    if (this.#end !== undefined || !this.#mux.canOpen) return undefined;
    this.#opened += 1;
    return this.#flows.open(this.#mux.open('datagrams'), far);
  }

  /** Shows newer certificates to the peer; where the last ones were a moment ago, later, and then the newest alone. */
  renew(renewal: Renewal): void {
    this.#renewal = renewal;
    this.#renewIfDue();
  }

  /** Takes no new streams; it is over when those that are open are. */
  drain(): void {
    if (this.#end === undefined) this.#mux.goAway();
  }

  /** At once, with all its streams. @param code one of `closeCodes` */
  cut(code: number, text: string): void {
    if (this.#end !== undefined) return;
    this.#mux.close(code, text);
    this.#over({ code, text, byPeer: false });
  }

  #requireRoom(): void {
    if (this.#end !== undefined) throw new Error(`the tunnel is down: ${this.#end.text}`);
    if (this.#mux.canOpen) return;
    this.#failed += 1;
    throw new Error(this.#mux.isTaking ? 'the tunnel carries as many streams as the peer takes' : 'the tunnel ends');
  }

  #add(id: number): TunnelStream {
    const stream = new TunnelStream(id, {
      schedule: (one) => this.#schedule(one),
      finish: (one) => this.#mux.end(one),
      consumed: (one, bytes) => this.#mux.consumed(one, bytes),
      gone: (one, code, text) => {
        this.#streams.delete(one);
        this.#waiting.delete(stream);
        if (this.#end === undefined) this.#mux.reset(one, code, text);
      },
    });
    this.#streams.set(id, stream);
    return stream;
  }

  #effects(): MuxEffects {
    return {
      send: (frame) => this.#write(frame),
      sendData: (head, payload) => {
        this.#sent += payload.length;
        this.#write(head);
        this.#write(payload);
      },
      welcomed: () => {
        if (this.#end === undefined) this.#options.events?.up?.();
      },
      opened: (id, kind) => this.#onOpened(id, kind),
      data: (id, piece) => {
        this.#received += piece.length;
        this.#streams.get(id)?.deliver(piece);
      },
      ended: (id) => this.#streams.get(id)?.deliverEnd(),
      reset: (id, code, text) => {
        this.#streams.get(id)?.destroy(resetError(code, text));
        this.#flows.reset(id);
      },
      credited: (id) => {
        const stream = this.#streams.get(id);
        if (stream?.hasUnsent) this.#schedule(stream);
      },
      datagram: (id, payload) => {
        this.#received += payload.length;
        this.#flows.receive(id, payload);
      },
      pong: () => this.#heartbeat.answered(),
      goingAway: () => this.#options.events?.goingAway?.(),
      renewed: (renewal) => {
        if (this.#end === undefined) this.#options.events?.renewed?.(renewal);
      },
      drained: () => this.cut(closeCodes.done, 'drained'),
      closed: (code, text) => this.#over({ code, text, byPeer: true }),
    };
  }

  #receive(chunk: Buffer): void {
    if (this.#end !== undefined) return;
    this.#heartbeat.heard();
    try {
      this.#mux.receive(chunk);
    } catch (error) {
      if (error instanceof Breach) {
        this.cut(closeCodes.breach, `the peer broke the protocol: ${error.message}`);
        return;
      }
      // Whatever else is thrown is a mistake of this side: it ends this session alone, and is none of the peer's business.
      this.#mux.close(closeCodes.shutdown, 'a mistake at the other end');
      this.#over({ code: closeCodes.shutdown, text: `a mistake on this side: ${String(error)}`, byPeer: false });
    }
  }

  #onOpened(id: number, kind: StreamKind): void {
    // It came in one piece with the end of the session.
    if (this.#end !== undefined) return;
    // A stream that is over for the protocol may still wait for its reader here.
    const isFull = this.#streams.size + this.#flows.size >= this.#limits.maxStreams;
    if (isFull) {
      this.#failed += 1;
      this.#mux.reset(id, resetCodes.busy, 'too many streams');
    } else if (kind === 'stream') {
      this.#opened += 1;
      void this.#carry(this.#add(id));
    } else if (this.#flows.accept(id)) {
      this.#opened += 1;
    } else {
      this.#failed += 1;
    }
  }

  /** Joins a stream that the caller has opened with an instance. */
  async #carry(stream: TunnelStream): Promise<void> {
    stream.on('error', () => {});
    const gone = new AbortController();
    stream.once('close', () => gone.abort());
    try {
      const route = this.#options.streams;
      if (route === undefined) throw new Error('nothing is offered here');
      const instance = await route.open(gone.signal);
      await splice(instance, stream, { idleMs: this.#limits.idleMs, signal: this.#cut.signal });
    } catch (error) {
      this.#failed += 1;
      stream.refuse(resetCodes.refused, (error as Error).message);
    }
  }

  #schedule(stream: TunnelStream): void {
    if (this.#isBlocked()) {
      this.#waiting.add(stream);
      return;
    }
    const write = (bytes: Buffer): number => this.#mux.write(stream.id, bytes);
    while (stream.sendOne(write)) {
      if (!this.#isBlocked()) continue;
      this.#waiting.add(stream);
      return;
    }
  }

  /** The socket takes more: one frame of each stream in turn. */
  #pump(): void {
    for (const stream of this.#waiting) {
      if (this.#isBlocked()) return;
      this.#waiting.delete(stream);
      if (stream.sendOne((bytes) => this.#mux.write(stream.id, bytes))) this.#waiting.add(stream);
    }
  }

  #isBlocked(): boolean {
    return this.#writer.queuedBytes >= this.#limits.queuedBytes;
  }

  #write(bytes: Buffer): void {
    if (this.#end !== undefined) return;
    this.#writer.write(bytes);
    if (this.#writer.queuedBytes > this.#limits.stalledBytes) {
      this.#over({ code: closeCodes.stalled, text: 'the peer does not read its answers', byPeer: false });
    }
  }

  #sendDatagram(id: number, bytes: Buffer): boolean {
    if (this.#end !== undefined || this.#writer.queuedBytes >= this.#limits.datagramBytes) return false;
    this.#sent += bytes.length;
    this.#mux.datagram(id, bytes);
    return true;
  }

  readonly #tick = (): void => {
    if (this.#end !== undefined) return;
    this.#stopTick = this.#options.timers.after(secondMs, this.#tick);
    this.#mux.second();
    this.#sinceRenewalMs += secondMs;
    this.#renewIfDue();
    this.#heartbeat.passed(secondMs, this.#mux.isWelcome);
  };

  #renewIfDue(): void {
    const renewal = this.#renewal;
    if (renewal === undefined || !this.isUp || this.#sinceRenewalMs < this.#limits.renewalMs) return;
    this.#renewal = undefined;
    this.#sinceRenewalMs = 0;
    this.#mux.renew(renewal);
  }

  #over(end: SessionEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#stopTick();
    this.#waiting.clear();
    const error = resetError(resetCodes.broken, `the tunnel ended: ${end.text}`);
    // What has come whole may still be read, unless the tunnel may not be any more.
    const isPeaceful = end.code === closeCodes.done;
    for (const stream of [...this.#streams.values()]) {
      if (!isPeaceful || this.#mux.isOpen(stream.id)) stream.destroy(error);
    }
    if (!isPeaceful) this.#cut.abort();
    this.#flows.closeAll();
    this.#writer.flush();
    this.#socket.end();
    const stop = this.#options.timers.after(this.#limits.lingerMs, () => this.#socket.destroy());
    this.#socket.once('close', stop);
    this.#options.events?.closed?.(end);
  }
}
