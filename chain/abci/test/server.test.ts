import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckTxType, ResponseCheckTx, ResponseInfo, ResponseQuery } from 'cosmjs-types/tendermint/abci/types';
import type { Application } from '../src/application.ts';
import { AbciServer, type AbciServerOptions } from '../src/server.ts';
import { Controlled, testApp } from './app.ts';
import { frameOf, Peer } from './peer.ts';

const folder = mkdtempSync(join(tmpdir(), 'abci-'));
const servers: AbciServer[] = [];
const peers: Peer[] = [];
let sockets = 0;

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
afterAll(() => rmSync(folder, { recursive: true }));

const socketPath = (): string => join(folder, `${sockets++}.sock`);

async function serve(application: Application, options: Partial<AbciServerOptions> = {}) {
  const server = new AbciServer(application, { listen: `unix://${socketPath()}`, ...options });
  servers.push(server);
  const address = await server.listen();
  const open = async (): Promise<Peer> => {
    const peer = await Peer.open(address);
    peers.push(peer);
    return peer;
  };
  return { server, address, open, peer: await open() };
}

const check = (n: number): Buffer => frameOf({ checkTx: { tx: Buffer.from(`tx${n}`), type: CheckTxType.RECHECK } });
const flush = frameOf({ flush: {} });
const tx = (reply: { checkTx?: ResponseCheckTx } | undefined): string =>
  Buffer.from(reply?.checkTx?.data ?? []).toString();

/** An application whose checks wait for the test. */
function slowChecks(special: Partial<Application> = {}) {
  const checks = new Controlled<string>();
  const app = testApp({
    checkTx: async (request) =>
      ResponseCheckTx.fromPartial({ data: Buffer.from(await checks.ask(Buffer.from(request.tx).toString())) }),
    ...special,
  });
  return { checks, app };
}

/** A small generator of numbers that are the same in every run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('replies', () => {
  it.each(['unix', 'tcp'])('come for every method over %s', async (kind) => {
    const { peer } = await serve(testApp(), kind === 'tcp' ? { listen: 'tcp://127.0.0.1:0' } : {});
    const requests = [
      { echo: { message: 'hello' } },
      { flush: {} },
      { info: { version: '0.38' } },
      { initChain: { chainId: 'mu-1' } },
      { query: { path: '/p', data: Buffer.from('k'), height: 4n } },
      { checkTx: { tx: Buffer.from('t') } },
      { commit: {} },
      { listSnapshots: {} },
      { offerSnapshot: { appHash: Buffer.from('h') } },
      { loadSnapshotChunk: { chunk: 9 } },
      { applySnapshotChunk: { sender: 'p2p' } },
      { prepareProposal: { txs: [Buffer.from('a'), Buffer.from('b')] } },
      { processProposal: { height: 1n } },
      { extendVote: { hash: Buffer.from('v') } },
      { verifyVoteExtension: { height: 1n } },
      { finalizeBlock: { hash: Buffer.from('f') } },
    ];
    peer.socket.write(Buffer.concat(requests.map(frameOf)));
    const replies = await peer.take(requests.length);
    // Each reply has the field of its request, and only that.
    expect(
      replies.map((reply) =>
        Object.entries(reply)
          .filter(([, value]) => value !== undefined)
          .map(([key]) => key),
      ),
    ).toEqual(requests.map((request) => Object.keys(request)));
    expect(replies[0]?.echo?.message).toBe('hello');
    expect(replies[2]?.info?.lastBlockHeight).toBe(7n);
    expect(Buffer.from(replies[3]?.initChain?.appHash ?? []).toString()).toBe('mu-1');
    expect(replies[4]?.query).toMatchObject({ log: '/p', height: 4n });
    expect(replies[11]?.prepareProposal?.txs.map((bytes) => Buffer.from(bytes).toString())).toEqual(['a', 'b']);
    expect(replies[10]?.applySnapshotChunk?.rejectSenders).toEqual(['p2p']);
  });

  it('come in the order of the requests, whichever is ready first', async () => {
    const { checks, app } = slowChecks();
    const { peer } = await serve(app);
    const count = 300;
    peer.socket.write(Buffer.concat([...Array.from({ length: count }, (_, n) => check(n)), flush]));
    await checks.whenAsked(count);
    expect(checks.asked.map(({ value }) => value)).toEqual(Array.from({ length: count }, (_, n) => `tx${n}`));
    const below = seeded(7);
    const open = [...checks.asked];
    while (open.length > 0) for (const { value, answer } of open.splice(below(open.length), 1)) answer(value);
    const replies = await peer.take(count + 1);
    expect(replies.slice(0, count).map(tx)).toEqual(Array.from({ length: count }, (_, n) => `tx${n}`));
    expect(replies[count]?.flush).toEqual({});
  });

  it('of an application that answers at once leave in one write', async () => {
    const { peer } = await serve(testApp());
    let reads = 0;
    peer.socket.on('data', () => reads++);
    peer.socket.write(Buffer.concat(Array.from({ length: 100 }, (_, n) => check(n))));
    await peer.take(100);
    expect(reads).toBeLessThanOrEqual(3);
  });

  it('of large messages arrive whole', async () => {
    const { peer } = await serve(testApp());
    const data = Buffer.alloc(5_000_000, 'x');
    peer.socket.write(Buffer.concat([frameOf({ query: { data } }), check(1)]));
    const [large, small] = await peer.take(2);
    expect(Buffer.compare(large?.query?.value ?? Buffer.alloc(0), data)).toBe(0);
    expect(tx(small)).toBe('tx1');
  });
});

describe('methods', () => {
  it('other than CheckTx, Query, Echo and Flush are alone on their connection', async () => {
    const log: string[] = [];
    const info = new Controlled<string>();
    const { checks, app } = slowChecks({
      info: async ({ version }) => {
        log.push('info begins');
        await info.ask(version);
        log.push('info ends');
        return ResponseInfo.fromPartial({ version });
      },
      query: () => {
        log.push('query');
        return ResponseQuery.fromPartial({});
      },
    });
    const { peer, open } = await serve(app);
    peer.socket.write(Buffer.concat([check(1), check(2), frameOf({ info: {} }), frameOf({ query: {} })]));
    await checks.whenAsked(2);
    for (const { value, answer } of [...checks.asked].reverse()) {
      expect(log).toEqual([]);
      answer(value);
    }
    await info.whenAsked(1);
    // Another connection goes on meanwhile; by its answer, all that could have run has run.
    const other = await open();
    other.socket.write(frameOf({ query: {} }));
    await other.take(1);
    expect(log).toEqual(['info begins', 'query']);
    info.asked[0]?.answer('');
    await peer.take(4);
    expect(log).toEqual(['info begins', 'query', 'info ends', 'query']);
  });

  it('are under way together up to the bound, and what comes more is not read', async () => {
    const { checks, app } = slowChecks();
    const { peer } = await serve(app, { maxInFlight: 8 });
    // More than sockets buffer on both sides: it can only be sent when it is read.
    const padding = Buffer.alloc(100_000, '.');
    const count = 200;
    let allSent = false;
    const frames = Array.from({ length: count }, (_, n) =>
      Buffer.concat([check(n), frameOf({ echo: { message: padding.toString() } })]),
    );
    peer.socket.write(Buffer.concat(frames), () => {
      allSent = true;
    });
    await checks.whenAsked(4);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(checks.asked.length).toBe(4);
    expect(allSent).toBe(false);
    for (let n = 0; n < count; n++) {
      await checks.whenAsked(n + 1);
      checks.asked[n]?.answer(`tx${n}`);
    }
    const replies = await peer.take(2 * count);
    expect(replies.filter((reply) => reply.checkTx !== undefined).map(tx)).toEqual(
      Array.from({ length: count }, (_, n) => `tx${n}`),
    );
    expect(allSent).toBe(true);
  });

  it('are not called for a peer that does not read its replies', async () => {
    let calls = 0;
    const value = Buffer.alloc(200_000, 'v');
    const { peer, open } = await serve(
      testApp({
        query: () => {
          calls++;
          return ResponseQuery.fromPartial({ value });
        },
      }),
    );
    peer.socket.pause();
    peer.socket.write(Buffer.concat(Array.from({ length: 100 }, () => frameOf({ query: {} }))));
    const other = await open();
    for (let n = 1; n <= 20; n++) {
      other.socket.write(check(n));
      await other.take(n);
    }
    expect(calls).toBeLessThan(20);
    peer.socket.resume();
    expect(await peer.take(100)).toHaveLength(100);
    expect(calls).toBe(100);
  });

  it('that keep the thread leave other connections their turn', async () => {
    let checked = 0;
    const { peer, open } = await serve(
      testApp({
        checkTx: () => {
          checked++;
          for (const until = performance.now() + 2; performance.now() < until; );
          return ResponseCheckTx.fromPartial({});
        },
      }),
    );
    const other = await open();
    peer.socket.write(Buffer.concat(Array.from({ length: 400 }, (_, n) => check(n))));
    await peer.take(1);
    other.socket.write(frameOf({ finalizeBlock: { hash: Buffer.from('h') } }));
    await other.take(1);
    expect(checked).toBeLessThan(200);
    await peer.take(400);
  });
});

describe('a failure', () => {
  it('of a check is an exception, and the connection goes on', async () => {
    const failures: Error[] = [];
    const { peer } = await serve(
      testApp({
        checkTx: ({ tx: bytes }) => {
          if (Buffer.from(bytes).toString() === 'tx1') throw new Error('cannot check');
          return ResponseCheckTx.fromPartial({ data: bytes });
        },
      }),
      { onFailure: (error) => failures.push(error) },
    );
    peer.socket.write(Buffer.concat([check(0), check(1), check(2)]));
    const replies = await peer.take(3);
    expect(replies[1]?.exception?.error).toBe('cannot check');
    expect(tx(replies[2])).toBe('tx2');
    expect(failures).toEqual([]);
  });

  it.each([
    ['finalizeBlock', { finalizeBlock: {} }],
    ['commit', { commit: {} }],
    ['initChain', { initChain: {} }],
  ] as const)('of %s is an exception, the end of the connection, and the end of consensus', async (name, request) => {
    const failures: Error[] = [];
    const calls: string[] = [];
    const { peer, open } = await serve(
      testApp({
        [name]: async () => {
          throw new Error('the disk is full');
        },
        processProposal: () => {
          calls.push('processProposal');
          return { status: 1 };
        },
      }),
      { onFailure: (error) => failures.push(error) },
    );
    peer.socket.write(Buffer.concat([frameOf(request), frameOf({ processProposal: {} })]));
    await peer.closed;
    expect(peer.replies.map((reply) => reply.exception?.error)).toEqual(['the disk is full']);
    expect(failures.map(({ message }) => message)).toEqual(['the disk is full']);
    const next = await open();
    next.socket.write(Buffer.concat([frameOf({ info: {} }), frameOf({ processProposal: {} })]));
    await next.closed;
    expect(next.replies[0]?.info?.data).toBe('test');
    expect(next.replies[1]?.exception?.error).toBe(
      'the application has failed and must be started again: the disk is full',
    );
    expect(calls).toEqual([]);
    expect(failures).toHaveLength(1);
  });

  it('of a proposal ends the connection but not consensus', async () => {
    const failures: Error[] = [];
    let broken = true;
    const { peer, open } = await serve(
      testApp({
        processProposal: () => {
          if (broken) throw new Error('odd');
          return { status: 2 };
        },
      }),
      { onFailure: (error) => failures.push(error) },
    );
    peer.socket.write(frameOf({ processProposal: {} }));
    await peer.closed;
    expect(peer.replies[0]?.exception?.error).toBe('odd');
    broken = false;
    const next = await open();
    next.socket.write(frameOf({ processProposal: {} }));
    expect((await next.take(1))[0]?.processProposal?.status).toBe(2);
    expect(failures).toEqual([]);
  });

  it('to know a request is an exception', async () => {
    const { peer } = await serve(testApp());
    // Field 21 and no field at all.
    peer.socket.write(Buffer.concat([Uint8Array.of(3, 0xaa, 0x01, 0x00), Uint8Array.of(0), check(1)]));
    const replies = await peer.take(3);
    expect(replies[0]?.exception?.error).toBe('unknown request: field 21');
    expect(replies[1]?.exception?.error).toBe('unknown request: field 0');
    expect(tx(replies[2])).toBe('tx1');
  });
});

describe('a malformed message', () => {
  it.each([
    ['that is no protobuf', Buffer.from([4, 0xff, 0xff, 0xff, 0xff])],
    ['with a damaged body', Buffer.from([4, 0x42, 2, 0x0a, 0x7f])],
    ['with an endless length', Buffer.alloc(10, 0xff)],
    ['above the bound', frameOf({ echo: { message: 'x'.repeat(2000) } })],
  ])('%s closes its connection after what came before is answered; others live on', async (_, bytes) => {
    const warnings: string[] = [];
    const log = {
      info: () => undefined,
      error: () => undefined,
      warn: (_fields: object, text: string) => warnings.push(text),
    };
    const { checks, app } = slowChecks();
    const { peer, open } = await serve(app, { maxMessageBytes: 1000, log });
    const other = await open();
    peer.socket.write(Buffer.concat([check(1), bytes, check(2)]));
    other.socket.write(check(3));
    await checks.whenAsked(2);
    for (const { value, answer } of checks.asked) answer(value);
    await peer.closed;
    expect(peer.replies.map(tx)).toEqual(['tx1']);
    expect(warnings).toEqual(['malformed ABCI message: the connection is closed']);
    expect(tx((await other.take(1))[0])).toBe('tx3');
  });

  it('that never ends is reported when its connection does', async () => {
    const warned = Promise.withResolvers<string>();
    const log = {
      info: () => undefined,
      error: () => undefined,
      warn: (_: object, text: string) => warned.resolve(text),
    };
    const { peer } = await serve(testApp(), { log });
    peer.socket.end(Buffer.concat([check(1), check(2).subarray(0, 3)]));
    await peer.closed;
    expect(peer.replies.map(tx)).toEqual(['tx1']);
    expect(await warned.promise).toBe('an ABCI connection ended within a message');
  });
});

describe('closing', () => {
  it('answers what is under way, begins nothing, and leaves nothing behind', async () => {
    const { checks, app } = slowChecks();
    const { server, peer, address } = await serve(app);
    peer.socket.write(Buffer.concat([check(1), check(2)]));
    await checks.whenAsked(2);
    const closed = server.close();
    peer.socket.write(check(3));
    for (const { value, answer } of [...checks.asked].reverse()) answer(value);
    await closed;
    await peer.closed;
    expect(peer.replies.map(tx)).toEqual(['tx1', 'tx2']);
    expect(checks.asked).toHaveLength(2);
    expect(server.connectionCount).toBe(0);
    await expect(Peer.open(address)).rejects.toThrow();
  });

  it('does not wait for ever for a call that never ends', async () => {
    const { checks, app } = slowChecks();
    const { server, peer } = await serve(app, { closeTimeoutMs: 20 });
    peer.socket.write(check(1));
    await checks.whenAsked(1);
    await server.close();
    await peer.closed;
    // The answer that comes after the end is dropped.
    checks.asked[0]?.answer('late');
  });

  it('by a peer after its last request leaves it its replies', async () => {
    const { checks, app } = slowChecks();
    const { server, peer } = await serve(app);
    peer.socket.end(Buffer.concat([check(1), check(2), frameOf({ info: {} })]));
    await checks.whenAsked(2);
    for (const { value, answer } of checks.asked) answer(value);
    await peer.closed;
    expect(peer.replies).toHaveLength(3);
    expect(peer.replies[2]?.info?.data).toBe('test');
    expect(server.connectionCount).toBe(0);
  });
});

describe('listening', () => {
  it('takes over the socket of a dead process', async () => {
    const path = socketPath();
    await leaveDeadSocket(path);
    const { peer } = await serve(testApp(), { listen: `unix://${path}` });
    peer.socket.write(check(1));
    expect(tx((await peer.take(1))[0])).toBe('tx1');
  });

  it('refuses the socket of a living one, and leaves it alone', async () => {
    const { address, peer } = await serve(testApp());
    const second = new AbciServer(testApp(), { listen: address });
    await expect(second.listen()).rejects.toThrow(/^a process listens on .* already: stop it, or choose another path$/);
    peer.socket.write(check(1));
    await peer.take(1);
  });

  it('refuses a file that is no socket, a port in use, and a folder that is not there', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, 'keep me');
    await expect(new AbciServer(testApp(), { listen: `unix://${file}` }).listen()).rejects.toThrow('is not a socket');
    const { address } = await serve(testApp(), { listen: 'tcp://127.0.0.1:0' });
    await expect(new AbciServer(testApp(), { listen: address }).listen()).rejects.toThrow(
      /^cannot listen on tcp:.*EADDRINUSE/,
    );
    await expect(new AbciServer(testApp(), { listen: `unix://${folder}/none/a.sock` }).listen()).rejects.toThrow(
      /^cannot listen on unix:/,
    );
  });

  it('takes a bounded number of connections', async () => {
    const { open, server } = await serve(testApp(), { maxConnections: 2 });
    await open();
    const third = await open();
    await third.closed;
    expect(server.connectionCount).toBe(2);
  });
});

/** A socket file on which nobody listens, as `kill -9` leaves it: Node itself would remove it. */
async function leaveDeadSocket(path: string): Promise<void> {
  const { linkSync } = await import('node:fs');
  const server = createServer();
  const original = `${path}.live`;
  await new Promise<void>((resolve) => server.listen(original, resolve));
  linkSync(original, path);
  await new Promise((resolve) => server.close(resolve));
}
