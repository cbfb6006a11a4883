/** The resolver with real sockets on 127.0.0.1; another one stands for the public's. */
import { createSocket, Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Answer, DecodedPacket, Packet, Question } from 'dns-packet';
import * as dns from 'dns-packet';
import fc from 'fast-check';
import { isName, readQuery, writeReply } from '../../src/network/dns-messages.ts';
import { frame } from '../../src/network/dns-upstream.ts';
import { Resolver, type ResolverLimits, type ResolverTable } from '../../src/network/resolver.ts';
import { eventually } from './support/eventually.ts';

const undo: Array<() => unknown> = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const peers = new Map([['db', '10.213.0.4']]);
const noSuchName = 3;
const serverFailure = 2;

async function resolver(table: ResolverTable, more: { upstreams?: number[]; limits?: Partial<ResolverLimits> } = {}) {
  const upstreams = (more.upstreams ?? []).map((port) => ({ address: '127.0.0.1', port }));
  const made = await Resolver.listen({
    address: '127.0.0.1',
    port: 0,
    table,
    upstreams,
    limits: { timeoutMs: 1000, ...more.limits },
  });
  undo.push(() => made.close());
  return made;
}

type Answering = (question: Question, query: DecodedPacket) => Partial<Packet> | Buffer | undefined;

/** A resolver of the public, over UDP and TCP. @returns its port, and how often it was asked */
async function publicResolver(answer: Answering): Promise<{ port: number; asked: () => number }> {
  let asked = 0;
  const reply = (bytes: Buffer): Buffer | undefined => {
    asked += 1;
    const query = dns.decode(bytes);
    const made = answer(query.questions![0]!, query);
    if (made === undefined || Buffer.isBuffer(made)) return made;
    return dns.encode({ type: 'response', id: query.id!, questions: query.questions!, ...made });
  };
  const tcp: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      const made = reply(bytes.subarray(2));
      if (made !== undefined) socket.write(frame(made));
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', () => resolve()));
  const { port } = tcp.address() as { port: number };
  const udp: UdpSocket = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(port, '127.0.0.1', () => resolve()));
  udp.on('message', (bytes, from) => {
    const made = reply(bytes);
    if (made !== undefined) udp.send(made, from.port, from.address);
  });
  undo.push(
    () => tcp.close(),
    () => udp.close(),
  );
  return { port, asked: () => asked };
}

let lastId = 0;
function query(name: string, type: string, more: Partial<Packet> = {}): Buffer {
  lastId += 1;
  return dns.encode({
    type: 'query',
    id: lastId,
    flags: dns.RECURSION_DESIRED,
    questions: [{ name, type: type as 'A' }],
    ...more,
  });
}

async function askUdp({ port }: Resolver, message: Buffer): Promise<DecodedPacket> {
  const socket = createSocket('udp4');
  try {
    socket.send(message, port, '127.0.0.1');
    const [bytes] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
    return dns.decode(bytes);
  } finally {
    socket.close();
  }
}

async function askTcp({ port }: Resolver, messages: readonly Buffer[]): Promise<DecodedPacket[]> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  // The last question and the end together: the answers still come.
  socket.end(Buffer.concat(messages.map(frame)));
  const chunks: Buffer[] = [];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  let bytes = Buffer.concat(chunks);
  const answers: DecodedPacket[] = [];
  while (bytes.length > 0) {
    const length = bytes.readUInt16BE(0);
    answers.push(dns.decode(bytes.subarray(2, length + 2)));
    bytes = bytes.subarray(length + 2);
  }
  return answers;
}

const rcodeOf = (packet: DecodedPacket): number => packet.flags! & 0xf;
const dataOf = (packet: DecodedPacket): unknown[] =>
  (packet.answers ?? []).map((answer) => (answer as { data?: unknown }).data);

describe('peers', () => {
  it('are not told to port 0, to which nothing can be sent', async () => {
    const bind = jest.spyOn(UdpSocket.prototype, 'bind');
    undo.push(() => bind.mockRestore());
    const server = await resolver({ peers, egress: 'none' });
    const own = bind.mock.contexts[0] as UdpSocket;
    const message = query('db.mu.internal', 'A');
    own.emit('message', message, { address: '127.0.0.1', port: 0, family: 'IPv4', size: message.length });
    expect(dataOf(await askUdp(server, message))).toEqual(['10.213.0.4']);
  });

  it('are answered by UDP and TCP, in whatever case they are asked for', async () => {
    const server = await resolver({ peers, egress: 'none' });
    const message = query('Db.MU.internal', 'A');
    for (const answer of [await askUdp(server, message), ...(await askTcp(server, [message]))]) {
      expect(rcodeOf(answer)).toBe(0);
      expect(answer.id).toBe(dns.decode(message).id);
      expect(answer.flag_aa).toBe(true);
      expect(answer.questions?.[0]?.name).toBe('Db.MU.internal');
      expect(answer.answers).toMatchObject([{ name: 'Db.MU.internal', type: 'A', ttl: 5, data: '10.213.0.4' }]);
    }
  });

  it('have no IPv6, and other names of the zone do not exist', async () => {
    const server = await resolver({ peers, egress: 'public' });
    const none = await askUdp(server, query('db.mu.internal', 'AAAA'));
    expect([rcodeOf(none), dataOf(none)]).toEqual([0, []]);
    for (const name of ['cache.mu.internal', 'x.db.mu.internal']) {
      expect(rcodeOf(await askUdp(server, query(name, 'A')))).toBe(noSuchName);
    }
    expect(rcodeOf(await askUdp(server, query('mu.internal', 'A')))).toBe(0);
  });

  it('change without a new resolver', async () => {
    const server = await resolver({ peers, egress: 'none' });
    server.update({ peers: new Map([['db', '10.213.0.5']]), egress: 'none' });
    expect(dataOf(await askUdp(server, query('db.mu.internal', 'A')))).toEqual(['10.213.0.5']);
  });

  it('are answered one after the other on one connection', async () => {
    const server = await resolver({ peers, egress: 'none' });
    const answers = await askTcp(
      server,
      Array.from({ length: 200 }, () => query('db.mu.internal', 'A')),
    );
    expect(answers.map(dataOf)).toEqual(Array.from({ length: 200 }, () => ['10.213.0.4']));
  });
});

describe('other names', () => {
  const address = (data: string): Answer => ({ type: 'A', name: 'example.org', ttl: 60, data });

  it('do not exist for a workload without a way out, and nobody is asked', async () => {
    const upstream = await publicResolver(() => ({ answers: [address('203.0.113.9')] }));
    const server = await resolver({ peers, egress: 'none' }, { upstreams: [upstream.port] });
    for (const name of ['example.org', 'secret.attacker.example', 'com', '1.1.1.1.in-addr.arpa', '.']) {
      expect(rcodeOf(await askUdp(server, query(name, 'TXT')))).toBe(noSuchName);
    }
    expect(upstream.asked()).toBe(0);
  });

  it('are asked for where there is one, aliases included', async () => {
    const answers: Answer[] = [
      { type: 'CNAME', name: 'example.org', ttl: 60, data: 'cdn.example.net' },
      { type: 'A', name: 'cdn.example.net', ttl: 60, data: '203.0.113.9' },
      { type: 'TXT', name: 'example.org', ttl: 60, data: 'not asked for' },
    ];
    const upstream = await publicResolver(() => ({ answers }));
    const server = await resolver({ peers, egress: 'public' }, { upstreams: [upstream.port] });
    const message = query('example.org', 'A');
    for (const answer of [await askUdp(server, message), ...(await askTcp(server, [message]))]) {
      expect(dataOf(answer)).toEqual(['cdn.example.net', '203.0.113.9']);
    }
  });

  it('never have addresses that are not public', async () => {
    const inside = ['10.0.0.1', '192.168.1.1', '127.0.0.1', '169.254.169.254', '100.64.1.1', '0.0.0.0'];
    const upstream = await publicResolver(() => ({ answers: [...inside, '203.0.113.9'].map(address) }));
    const server = await resolver({ peers, egress: 'public' }, { upstreams: [upstream.port] });
    expect(dataOf(await askUdp(server, query('rebind.example.org', 'A')))).toEqual(['203.0.113.9']);
  });

  it('of the house are not asked for, nor what carries addresses in another form, nor whole zones', async () => {
    const upstream = await publicResolver(() => ({ answers: [address('203.0.113.9')] }));
    const server = await resolver({ peers, egress: 'public' }, { upstreams: [upstream.port] });
    const names = [
      'router',
      'nas.local',
      'vault.internal',
      'x.home.arpa',
      '1.1.168.192.in-addr.arpa',
      '10.in-addr.arpa',
    ];
    for (const name of names) expect(rcodeOf(await askUdp(server, query(name, 'PTR')))).toBe(noSuchName);
    for (const type of ['AAAA', 'UNKNOWN_65', 'UNKNOWN_64']) {
      const answer = await askUdp(server, query('example.org', type));
      expect([rcodeOf(answer), dataOf(answer)]).toEqual([0, []]);
    }
    for (const type of ['AXFR', 'ANY', 'DNSKEY'])
      expect(rcodeOf(await askUdp(server, query('example.org', type)))).toBe(5);
    expect(upstream.asked()).toBe(0);
  });

  it('are told to be long over UDP, and come whole over TCP', async () => {
    const records = Array.from({ length: 40 }, (_, at) => address(`203.0.113.${at}`));
    const upstream = await publicResolver(() => ({ answers: records }));
    const server = await resolver({ peers, egress: 'public' }, { upstreams: [upstream.port] });
    const short = await askUdp(server, query('example.org', 'A'));
    expect([short.flag_tc, dataOf(short)]).toEqual([true, []]);
    const [whole] = await askTcp(server, [query('example.org', 'A')]);
    expect(dataOf(whole!)).toHaveLength(40);
  });

  it('that others truncate are truncated here too', async () => {
    const upstream = await publicResolver(() => ({ flags: dns.TRUNCATED_RESPONSE, answers: [] }));
    const server = await resolver({ peers, egress: 'public' }, { upstreams: [upstream.port] });
    expect((await askUdp(server, query('example.org', 'A'))).flag_tc).toBe(true);
  });

  it('are cut at so many records', async () => {
    const records = Array.from({ length: 20 }, (_, at) => address(`203.0.113.${at}`));
    const upstream = await publicResolver(() => ({ answers: records }));
    const server = await resolver(
      { peers, egress: 'public' },
      { upstreams: [upstream.port], limits: { maxRecords: 7 } },
    );
    const [answer] = await askTcp(server, [query('example.org', 'A')]);
    expect(dataOf(answer!)).toHaveLength(7);
  });

  it('are asked of the next resolver where the first is silent, talks nonsense, or answers something else', async () => {
    const good = await publicResolver(() => ({ answers: [address('203.0.113.9')] }));
    const bad: Answering[] = [
      () => undefined,
      () => Buffer.from('nonsense'),
      (_question, asked) =>
        dns.encode({
          type: 'response',
          id: asked.id! ^ 1,
          questions: asked.questions!,
          answers: [address('203.0.113.66')],
        }),
      (_question, asked) => ({
        questions: [{ type: 'A', name: 'other.org' }],
        id: asked.id!,
        answers: [address('203.0.113.66')],
      }),
    ];
    for (const answer of bad) {
      const first = await publicResolver(answer);
      const server = await resolver(
        { peers, egress: 'public' },
        { upstreams: [first.port, good.port], limits: { timeoutMs: 100 } },
      );
      expect(dataOf(await askUdp(server, query('example.org', 'A')))).toEqual(['203.0.113.9']);
      expect(first.asked()).toBe(1);
    }
  });

  it('fail where nobody answers, and where too many are on their way', async () => {
    const silent = await publicResolver(() => undefined);
    const server = await resolver(
      { peers, egress: 'public' },
      { upstreams: [silent.port], limits: { timeoutMs: 300, maxQueries: 2 } },
    );
    const slow = [askUdp(server, query('a.example', 'A')), askUdp(server, query('b.example', 'A'))];
    await eventually('both questions are on their way', () => silent.asked() === 2);
    expect(rcodeOf(await askUdp(server, query('c.example', 'A')))).toBe(serverFailure);
    expect(silent.asked()).toBe(2);
    for (const answer of await Promise.all(slow)) expect(rcodeOf(answer)).toBe(serverFailure);
    // Peers are answered all the while.
    expect(dataOf(await askUdp(server, query('db.mu.internal', 'A')))).toEqual(['10.213.0.4']);
  });
});

describe('limits', () => {
  it('close connections that are too many, idle, or speak something else', async () => {
    const server = await resolver({ peers, egress: 'none' }, { limits: { maxConnections: 2, idleMs: 200 } });
    const open = () => connect({ port: server.port, host: '127.0.0.1' }).on('error', () => {});
    const [first, second] = [open(), open()];
    await Promise.all([once(first, 'connect'), once(second, 'connect')]);
    const third = open();
    await once(third, 'close', { signal: AbortSignal.timeout(5000) });
    await Promise.all([first, second].map((socket) => once(socket, 'close', { signal: AbortSignal.timeout(5000) })));
    const speaker = open();
    speaker.write('GET / HTTP/1.1\r\n\r\n');
    await once(speaker, 'close', { signal: AbortSignal.timeout(5000) });
    expect(await askTcp(server, [query('db.mu.internal', 'A')])).toHaveLength(1);
  });

  it('of questions: one, of class IN, of a plain kind', async () => {
    const server = await resolver({ peers, egress: 'public' });
    const two = query('db.mu.internal', 'A', { questions: [1, 2].map(() => ({ type: 'A', name: 'db.mu.internal' })) });
    expect(rcodeOf(await askUdp(server, two))).toBe(1);
    const chaos = query('version.bind', 'TXT', { questions: [{ type: 'TXT', name: 'version.bind', class: 'CH' }] });
    expect(rcodeOf(await askUdp(server, chaos))).toBe(5);
    const update = query('db.mu.internal', 'A');
    update.writeUInt16BE(5 << 11, 2);
    expect(rcodeOf(await askUdp(server, update))).toBe(4);
  });
});

describe('messages that are none', () => {
  it('never break the reading, and what is read can be answered', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const read = readQuery(Buffer.from(bytes));
        if (read === undefined || 'refusal' in read) return;
        expect(isName(read.question.name)).toBe(true);
        dns.decode(writeReply(read, { rcode: 0, answers: [], authoritative: false }, 512));
      }),
      { numRuns: 2000 },
    );
  });

  it('made of good ones by changing bytes neither', () => {
    const good = query('db.mu.internal', 'A', {
      additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0 } as Answer],
    });
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 });
    fc.assert(
      fc.property(changes, fc.nat(good.length), (changed, length) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of changed) bytes[at] = value;
        const read = readQuery(bytes.subarray(0, length));
        if (read === undefined || 'refusal' in read) return;
        expect(read.udpBytes).toBeLessThanOrEqual(1232);
        expect(read.udpBytes).toBeGreaterThanOrEqual(512);
        dns.decode(writeReply(read, { rcode: 3, answers: [], authoritative: true }, read.udpBytes));
      }),
      { numRuns: 5000 },
    );
  });

  it('get no answer, and the next one does', async () => {
    const server = await resolver({ peers, egress: 'none' });
    const socket = createSocket('udp4');
    undo.push(() => socket.close());
    const received: Buffer[] = [];
    socket.on('message', (bytes) => received.push(bytes));
    const answer = dns.encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'db.mu.internal' }] });
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), answer, Buffer.alloc(2000, 1)]) {
      socket.send(bytes, server.port, '127.0.0.1');
    }
    const last = query('db.mu.internal', 'A');
    socket.send(last, server.port, '127.0.0.1');
    await eventually('the answer', () => received.length > 0);
    expect(received.map((bytes) => dns.decode(bytes).id)).toEqual([dns.decode(last).id]);
  });

  it('names with other bytes than printable ones are refused, not written again as others', async () => {
    const server = await resolver({ peers, egress: 'none' });
    for (const label of ['\x00', 'ü', ' ', '\x7f']) expect(isName(`${label}.example`)).toBe(false);
    const odd = query('xx.mu.internal', 'A');
    odd[13] = 0xff;
    expect(rcodeOf(await askUdp(server, odd))).toBe(1);
  });
});
