/** Workloads of two data planes call each other through tunnels: relay, tunnel, instance. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { KnownPairs } from '../../src/data-plane/known-pairs.ts';
import type { ServedNeighbour, ServedOffer, ServedTunnel } from '../../src/data-plane/links.ts';
import { dialTunnel } from '../../src/overlay/endpoint.ts';
import { tunnelLimits } from '../../src/overlay/tunnel-options.ts';
import { eventually } from '../network/support/eventually.ts';
import { credentials, endOf, factsOf, makeProvider } from '../overlay/support/providers.ts';
import { instance, undoAll } from '../overlay/support/sessions.ts';
import { counted } from '../support/surroundings.ts';
import {
  ask,
  end,
  farRelay,
  freePort,
  leaseOf,
  type Node,
  node,
  serveDb,
  servedFacts,
  talking,
  viewOf,
  type World,
  world,
} from './support/linked-planes.ts';

afterEach(undoAll);

const hourMs = 3_600_000;
const { firstBackOffMs } = tunnelLimits;
/** The chain was looked at two hours ago. */
const oldView = ({ timers }: World) => ({ ...viewOf(timers), verifiedAtMs: timers.now() - 2 * hourMs });
const ready = [{ service: 'db', instances: [{ address: '127.0.0.1', ready: true }] }];
const isUp = async ({ plane }: Node): Promise<boolean> => (await plane.figures()).tunnels.up === 1;
const isDown = async (of: Node): Promise<boolean> => !(await isUp(of));

async function bytesOf({ plane }: Node, lease: string): Promise<string[]> {
  const all = await plane.totals();
  const own = all.filter((one) => one.lease === lease).flatMap(({ totals }) => totals);
  return own.map(({ service, metric, total }) => `${service} ${metric} ${total}`);
}

async function up(options?: Parameters<typeof world>[0]): Promise<World> {
  const made = await world(options);
  await eventually('the tunnel', async () => (await isUp(made.caller)) && (await isUp(made.callee)));
  return made;
}

const has = (log: readonly string[], part: string) => (): boolean => log.some((line) => line.includes(part));

describe('a call to a workload elsewhere', () => {
  it('goes through relay and tunnel to an instance, and the answer comes after the end of the question', async () => {
    const { relayPort, caller, callee } = await world({
      serve: (socket) => void text(socket).then((question) => socket.end(`${question.length} bytes`)),
    });
    expect(await ask(relayPort, 'x'.repeat(300_000))).toBe('300000 bytes');
    const carried = 300_000 + '300000 bytes'.length;
    expect(await bytesOf(caller, '1')).toEqual([`web tunnel-bytes ${carried}`]);
    expect(await bytesOf(callee, '2')).toEqual([`db tunnel-bytes ${carried}`]);
  });

  it('is one stream among many of one handshake, and all of them are counted once', async () => {
    const { relayPort, caller, callee } = await up();
    const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => ask(relayPort, String(at))));
    expect(answers).toEqual(Array.from({ length: 200 }, (_, at) => String(at)));
    const carried = 2 * answers.join('').length;
    await eventually('their end', async () => (await caller.plane.figures()).tunnels.streams === 0);
    expect((await caller.plane.figures()).tunnels).toMatchObject({
      ...{ up: 1, down: 0, opened: 200, failed: 0 },
      ...{ sentBytes: carried / 2, receivedBytes: carried / 2 },
    });
    for (let looks = 0; looks < 2; looks += 1) {
      expect(await bytesOf(caller, '1')).toEqual([`web tunnel-bytes ${carried}`]);
      expect(await bytesOf(callee, '2')).toEqual([`db tunnel-bytes ${carried}`]);
    }
  });

  it('may be of datagrams', async () => {
    const { relayPort, caller } = await up({ protocol: 'udp' });
    const socket = createSocket('udp4');
    const answer = once(socket, 'message');
    socket.send('a datagram', relayPort, '127.0.0.1');
    expect(String((await answer)[0])).toBe('a datagram');
    socket.close();
    expect(await bytesOf(caller, '1')).toEqual(['web tunnel-bytes 20']);
  });

  it('never reaches a port by the other protocol than the declared one', async () => {
    const { relayPort, caller, callee, atDb } = await up();
    await callee.plane.link('2', { tunnels: [{ ...atDb, protocol: 'udp' }], neighbours: [] });
    await expect(ask(relayPort, 'stream?')).rejects.toThrow(/ECONNRESET/);
    expect(await isUp(caller)).toBe(true);
    expect((await callee.plane.figures()).tunnels.failed).toBe(1);
  });

  it('follows the instances of the callee, and is reset where there are none', async () => {
    const { relayPort, callee } = await up();
    await callee.plane.place('2', [{ service: 'db', instances: [] }]);
    await expect(ask(relayPort, 'anybody?')).rejects.toThrow(/ECONNRESET/);
    await callee.plane.place('2', [{ service: 'db', instances: [{ address: '127.0.0.1', ready: true }] }]);
    expect(await ask(relayPort, 'and now?')).toBe('and now?');
  });

  it('takes a tunnel that is up before one that is not, and waits for one where none is', async () => {
    const { relayPort, caller, atWeb } = await up();
    const away = { ...atWeb, label: 'a'.repeat(32), dial: { host: '127.0.0.1', port: await freePort() } };
    await caller.plane.link('1', { tunnels: [away, atWeb], neighbours: [] });
    expect(await ask(relayPort, 'who is there?')).toBe('who is there?');
    expect((await caller.plane.figures()).tunnels).toMatchObject({ up: 1, down: 1 });
    // No workload but the one that calls may take its tunnels.
    const other = await freePort();
    const relay = farRelay(other);
    await caller.plane.open('1', { relays: [{ ...relay, to: { ...relay.to, caller: 'worker' } as never }], names: [] });
    await expect(ask(other, 'may I?')).rejects.toThrow(/ECONNRESET/);
  });
});

describe('a tunnel ends', () => {
  const cases: readonly (readonly [string, string, (made: World) => Promise<void>])[] = [
    [
      'when its connection is no longer agreed',
      'the peer says: the connection is no longer agreed',
      ({ callee }) => callee.plane.link('2', { tunnels: [], neighbours: [] }),
    ],
    [
      'when the lease of this side is over',
      'the peer says: the lease has ended',
      ({ callee }) => callee.plane.withdraw('2'),
    ],
    [
      'when the lease of the peer is over',
      'the peer says: mu1web0000000000 has no lease of web-infra that stands',
      ({ callee, atDb }) => callee.plane.link('2', { tunnels: [closed(atDb)], neighbours: [] }),
    ],
    [
      'when the peer’s node is removed',
      'the peer says: the node was removed in block 101',
      ({ callee, atDb }) => callee.plane.link('2', { tunnels: [removed(atDb)], neighbours: [] }),
    ],
    [
      'when the peer’s node holds no longer, by the next block',
      'the peer says: the node held until block 1000',
      ({ callee, timers }) => callee.plane.view(viewOf(timers, 1001)),
    ],
  ];
  const closed = (tunnel: ServedTunnel): ServedTunnel => {
    const leases = tunnel.facts.leases.map((lease) => ({ ...lease, standing: 'closed' as const }));
    return { ...tunnel, facts: { ...tunnel.facts, leases } };
  };
  const removed = (tunnel: ServedTunnel): ServedTunnel => ({
    ...tunnel,
    facts: { ...tunnel.facts, node: { ...tunnel.facts.node!, removedHeight: '101' } },
  });

  it.each(cases)('%s, and its streams with it', async (_when, words, change) => {
    const made = await up();
    const socket = await talking(made.relayPort);
    const over = end(socket);
    await change(made);
    expect(await over).toBe('reset');
    await eventually('the word', has(made.caller.log, words));
    expect(await isDown(made.callee)).toBe(true);
    const before = (await made.callee.plane.figures()).tunnels.refusedPeers;
    made.timers.advance(firstBackOffMs);
    await eventually('another attempt', async () => {
      return (await made.callee.plane.figures()).tunnels.refusedPeers > before;
    });
    expect(await isDown(made.caller)).toBe(true);
    // What it has carried stays counted.
    expect(await bytesOf(made.callee, '2')).toEqual([`db tunnel-bytes ${2 * 'are you there?'.length}`]);
  });

  it('not by a view of the chain that is old, nor by what else is told of it', async () => {
    const made = await up();
    const socket = await talking(made.relayPort);
    for (const { plane } of [made.caller, made.callee]) await plane.view(oldView(made));
    await made.callee.plane.link('2', { tunnels: [made.atDb], neighbours: [] });
    socket.write('still there?');
    expect(String((await once(socket, 'data'))[0])).toBe('still there?');
    socket.destroy();
  });

  it('and comes again when its peer may have it again', async () => {
    const made = await up();
    await made.callee.plane.link('2', { tunnels: [closed(made.atDb)], neighbours: [] });
    await eventually('the cut', () => isDown(made.caller));
    await made.callee.plane.link('2', { tunnels: [made.atDb], neighbours: [] });
    made.timers.advance(firstBackOffMs);
    expect(await ask(made.relayPort, 'again')).toBe('again');
  });
});

describe('a lease that is busy', () => {
  it('is cut all the same, before a function that starts is there or given up', async () => {
    const made = await up();
    const socket = await talking(made.relayPort);
    const over = end(socket);
    const order: string[] = [];
    const file = '/nowhere/module.wasm';
    const missing = { service: 'f', file, sha256: '', memoryBytes: 65_536, timeoutMs: 1000, env: {} };
    const serving = made.callee.plane
      .serve({ ...leaseOf('2'), functions: [missing] })
      .catch(() => void order.push('given up'));
    void made.callee.plane.link('2', { tunnels: [], neighbours: [] });
    order.push((await made.callee.plane.figures()).tunnels.down === 0 ? 'no tunnel is left' : 'it stands');
    await serving;
    expect(order).toEqual(['no tunnel is left', 'given up']);
    expect(await over).toBe('reset');
    // What comes after its end opens nothing.
    const withdrawn = made.callee.plane.withdraw('2');
    await made.callee.plane.link('2', { tunnels: [made.atDb], neighbours: [] });
    await withdrawn;
    expect((await made.callee.plane.figures()).tunnels).toMatchObject({ up: 0, down: 0 });
  });
});

describe('who dials', () => {
  it('the callee where the caller finds no way, after 20 seconds', async () => {
    const made = await world({ dialer: 'callee' });
    made.timers.advance(19_999);
    expect((await made.callee.plane.figures()).tunnels.down).toBe(1);
    expect(has(made.callee.log, ': up')()).toBe(false);
    made.timers.advance(1);
    await eventually('the tunnel', () => isUp(made.caller));
    expect(await ask(made.relayPort, 'the other way round')).toBe('the other way round');
  });

  it('nobody at a private address, unless that is allowed', async () => {
    const made = await world({ caller: { allowPrivatePeers: false } });
    await eventually('the word', has(made.caller.log, '127.0.0.1 is a private address'));
    expect(await isDown(made.caller)).toBe(true);
  });

  it('again, after a restart of the other side', async () => {
    const made = await up();
    const { port } = made.callee.listener.at;
    await made.callee.end();
    await eventually('the break', () => isDown(made.caller));
    const next = await node({ timers: made.timers }, port);
    await serveDb(next, made.atDb, made.timers);
    made.timers.advance(firstBackOffMs);
    await eventually('the tunnel', () => isUp(next));
    expect(await ask(made.relayPort, 'again')).toBe('again');
  });
});

describe('while the chain is away', () => {
  /** It was looked at last two hours ago. */
  async function offline(more: Parameters<typeof world>[0] = {}): Promise<World> {
    const made = await up(more);
    for (const { plane } of [made.caller, made.callee]) await plane.view(oldView(made));
    return made;
  }

  it('a pair that had the tunnel finds each other again', async () => {
    const made = await offline();
    await made.caller.plane.withdraw('1');
    await eventually('the break', () => isDown(made.callee));
    await made.caller.plane.serve(leaseOf('1', [farRelay(made.relayPort)]));
    await made.caller.plane.link('1', { tunnels: [made.atWeb], neighbours: [] });
    expect(await ask(made.relayPort, 'we know each other')).toBe('we know each other');
  });

  it('a pair that never had it does not', async () => {
    const made = await offline();
    const port = made.callee.listener.at.port;
    await made.callee.end();
    await eventually('the break', () => isDown(made.caller));
    const stranger = await node({ timers: made.timers, known: new KnownPairs({ now: made.timers.now }) }, port);
    await serveDb(stranger, made.atDb, made.timers);
    await stranger.plane.view(oldView(made));
    made.timers.advance(firstBackOffMs);
    await eventually('the word', has(stranger.log, 'view_too_old'));
    expect(await isDown(made.caller)).toBe(true);
  });

  it('nor does anybody before the chain was looked at for the first time', async () => {
    const made = await up();
    const { port } = made.callee.listener.at;
    await made.callee.end();
    await eventually('the break', () => isDown(made.caller));
    const fresh = await node({ timers: made.timers }, port);
    await fresh.plane.serve(leaseOf('2'));
    await fresh.plane.link('2', { tunnels: [made.atDb], neighbours: [] });
    made.timers.advance(firstBackOffMs);
    await eventually('the word', has(fresh.log, 'the chain has not been looked at yet'));
    expect(await isDown(fresh)).toBe(true);
  });
});

describe('the listener of tunnels', () => {
  it('takes no other certificates, and the tunnel that stands goes on', async () => {
    const made = await up();
    const { web, timers, atWeb, callee } = made;
    const around = counted(timers.now());
    const stranger = await makeProvider(web.provider, around);
    const at = { ...callee.listener.at, label: atWeb.label, allowPrivatePeers: true };
    const admitPeer = () => ({ admitted: true, notBeforeMs: 0, notAfterMs: timers.now() + hourMs }) as const;
    const never = new AbortController().signal;
    const told = async (credentialsOf: ReturnType<typeof credentials>): Promise<string> => {
      const { socket } = await dialTunnel({ ...at, credentials: await credentialsOf, admitPeer }, never);
      return text(socket);
    };
    expect(await told(credentials(stranger, endOf(stranger, 'web'), around))).toContain('not admitted (other_root)');
    expect(await told(credentials(web, endOf(web, 'worker'), around))).toContain('not admitted (other_workload)');
    const other = { ...at, label: 'a'.repeat(32), credentials: made.ofWeb, admitPeer };
    await expect(dialTunnel(other, never)).rejects.toThrow();
    expect((await callee.plane.figures()).tunnels).toMatchObject({ up: 1, refusedPeers: 3 });
    expect(await ask(made.relayPort, 'still here')).toBe('still here');
  });

  it('shows renewed certificates at the next handshake', async () => {
    const made = await up();
    const { db, web, timers, atDb, callee, caller } = made;
    const port = await instance((socket) => socket.pipe(socket));
    const renewed = await credentials(db, endOf(db, 'db'), counted(timers.now() + 1));
    const facts = servedFacts(factsOf(web, 'web', timers.now()));
    await callee.plane.link('2', { tunnels: [{ ...atDb, port, credentials: renewed, facts }], neighbours: [] });
    expect(await isUp(caller)).toBe(true);
    const seen: Uint8Array[] = [];
    const admitPeer = (chain: readonly Uint8Array[]) => {
      seen.push(...chain.slice(0, 1));
      return { admitted: false, reason: 'no_lease', text: '' } as const;
    };
    const at = { ...callee.listener.at, label: atDb.label, credentials: made.ofWeb, allowPrivatePeers: true };
    await expect(dialTunnel({ ...at, admitPeer }, new AbortController().signal)).rejects.toThrow();
    const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(seen[0]!).toString('base64')}`;
    expect(renewed.cert.replaceAll('\n', '')).toContain(pem.replaceAll('\n', ''));
    expect(await ask(made.relayPort, 'the same tunnel')).toBe('the same tunnel');
  });
});

describe('certificates that the daemon renews', () => {
  it('are shown over the tunnel that stands, and carry its connections further', async () => {
    // A minute before the end of both: 24 hours from 5 minutes before they were issued.
    const made = await up({ agedMs: 24 * hourMs - 6 * 60_000 });
    const { web, db, timers, atWeb, atDb, caller, callee } = made;
    const kept = await talking(made.relayPort);
    const around = counted(timers.now());
    const ofWeb = await credentials(web, endOf(web, 'web'), around);
    const ofDb = await credentials(db, endOf(db, 'db'), around);
    await caller.plane.link('1', { tunnels: [{ ...atWeb, credentials: ofWeb }], neighbours: [] });
    await callee.plane.link('2', { tunnels: [{ ...atDb, credentials: ofDb }], neighbours: [] });
    for (let step = 0; step < 18; step += 1) {
      const answer = once(kept, 'data');
      kept.write(`${step}`);
      expect(String(((await answer) as [Buffer])[0])).toBe(`${step}`);
      timers.advance(5000);
    }
    expect((await callee.plane.figures()).tunnels).toMatchObject({ up: 1, streams: 1, refusedPeers: 0 });
    kept.end();
    expect(await end(kept)).toBe('end');
  });
});

describe('two leases of one infrastructure at the same node', () => {
  it('take over from each other: the newer one is called, and the older one again when that is gone', async () => {
    const made = await up();
    const { callee, relayPort, atDb, timers } = made;
    const port = await instance((socket) => socket.end('the newer one'));
    await callee.plane.serve({ ...leaseOf('3'), workloads: ready });
    await callee.plane.link('3', { tunnels: [{ ...atDb, port }], neighbours: [] });
    expect(await ask(relayPort, 'the older one')).toBe('the older one');
    await callee.plane.link('2', { tunnels: [], neighbours: [] });
    await eventually('the cut', () => isDown(made.caller));
    // That the older one has the tunnel again, after the newer one had it, is no reason to lead to it.
    await callee.plane.link('2', { tunnels: [atDb], neighbours: [] });
    timers.advance(firstBackOffMs);
    expect(await ask(relayPort, '?')).toBe('the newer one');
    await callee.plane.link('2', { tunnels: [atDb], neighbours: [] });
    await callee.plane.link('3', { tunnels: [{ ...atDb, port }], neighbours: [] });
    await callee.plane.withdraw('3');
    await eventually('the cut', () => isDown(made.caller));
    timers.advance(2 * firstBackOffMs);
    expect(await ask(relayPort, 'the older one')).toBe('the older one');
  });
});

describe('a neighbour', () => {
  it('is reached without a tunnel, as long as it is one', async () => {
    const { plane } = await node({});
    const [port, relayPort] = [await instance((socket) => socket.pipe(socket)), await freePort()];
    await plane.serve({ ...leaseOf('2'), workloads: ready });
    await plane.serve(leaseOf('1', [farRelay(relayPort)]));
    await expect(ask(relayPort, 'not yet')).rejects.toThrow(/ECONNRESET/);
    const caller = { infrastructure: 'web-infra', workload: 'web' };
    const neighbours: ServedNeighbour[] = [{ far: 'db/main', protocol: 'tcp', lease: '2', caller }];
    const offer: ServedOffer = { far: 'db/main', protocol: 'tcp', service: 'db', port, callers: [caller] };
    await plane.link('1', { tunnels: [], neighbours });
    await expect(ask(relayPort, 'by whom?')).rejects.toThrow(/ECONNRESET/);
    await plane.link('2', { tunnels: [], neighbours: [], offers: [offer] });
    expect(await ask(relayPort, 'next door')).toBe('next door');
    const [kept, cut] = [await talking(relayPort), await talking(relayPort)];
    await plane.link('1', { tunnels: [], neighbours: [...neighbours] });
    kept.end('the same link');
    expect(await text(kept)).toBe('the same link');
    const over = end(cut);
    await plane.link('1', { tunnels: [], neighbours: [] });
    expect(await over).toBe('reset');
    await plane.link('1', { tunnels: [], neighbours });
    const last = end(await talking(relayPort));
    await plane.withdraw('2');
    expect(await last).toBe('reset');
    await expect(ask(relayPort, 'anybody?')).rejects.toThrow(/ECONNRESET/);
    // It was stopped for a while, or is another revision, whose port is another one.
    const other = await instance((socket) => socket.end('the other port'));
    await plane.serve({ ...leaseOf('2'), workloads: ready });
    await plane.link('2', { tunnels: [], neighbours: [], offers: [{ ...offer, port: other }] });
    expect(await ask(relayPort, '?')).toBe('the other port');
    expect(await plane.totals()).toEqual([]);
  });

  it.each<[string, Partial<ServedOffer>]>([
    ['workload', { callers: [{ infrastructure: 'web-infra', workload: 'worker' }] }],
    ['infrastructure', { callers: [{ infrastructure: 'other-infra', workload: 'web' }] }],
    ['protocol', { protocol: 'udp' }],
    ['connection', { far: 'db/admin' }],
  ])('is left when its manifest declares it for another %s', async (_what, change) => {
    const { plane } = await node({});
    const [port, relayPort] = [await instance((socket) => socket.pipe(socket)), await freePort()];
    const caller = { infrastructure: 'web-infra', workload: 'web' };
    const offer: ServedOffer = { far: 'db/main', protocol: 'tcp', service: 'db', port, callers: [caller] };
    await plane.serve({ ...leaseOf('2'), workloads: ready });
    await plane.serve(leaseOf('1', [farRelay(relayPort)]));
    await plane.link('1', { tunnels: [], neighbours: [{ far: 'db/main', protocol: 'tcp', lease: '2', caller }] });
    await plane.link('2', { tunnels: [], neighbours: [], offers: [offer] });
    const over = end(await talking(relayPort));
    await plane.link('2', { tunnels: [], neighbours: [], offers: [{ ...offer, ...change }] });
    expect(await over).toBe('reset');
    await expect(ask(relayPort, 'still?')).rejects.toThrow(/ECONNRESET/);
  });
});
