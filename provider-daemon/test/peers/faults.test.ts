/** Peers that lie, stall, vanish or say what is no message; disks that are full. */

import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { realTimers } from '../../src/overlay/timers.ts';
import { peerListenOptions } from '../../src/peers/tls.ts';
import type { WireMessage } from '../../src/swarm/messages.ts';
import { encodeMessage } from '../../src/swarm/wire.ts';
import { eventually } from '../network/support/eventually.ts';
import { makeProvider, owner, type TestProvider } from '../overlay/support/providers.ts';
import { helloFor, type Stranger, stranger } from './support/stranger.ts';
import { around, credentialsOf, isWhole, type PeerSettings, type TestPeer, World } from './support/world.ts';

let world: World;
/** A peer whose clock stands still, so that what it counts does not depend on the machine. */
const standing = (nowMs = Date.now()): PeerSettings => ({ change: { timers: { ...realTimers, now: () => nowMs } } });
afterEach(() => world.close());

const piecesOf = ({ store }: Pick<TestPeer, 'store'>): number => store.held.get(1n)?.written.length ?? 0;

test('false pieces never reach the disk: their sender is dropped, the rest comes from others', async () => {
  world = new World(12);
  const [liar, honest, taker] = [await world.peer('liar'), await world.peer('honest'), await world.peer('taker')];
  liar.store.give(world.manifest).lies = true;
  honest.store.give(world.manifest);
  // The liar is met first, and the honest one when it was found out.
  world.look(liar);
  const uri = world.providers.get(honest.provider)!;
  world.providers.delete(honest.provider);
  world.look(taker);
  await eventually('the liar is dropped', () => taker.exchange.figures().dropped['false-piece'] === 1);
  expect(piecesOf(taker)).toBe(0);
  expect(taker.log).toContainEqual(`dropped ${liar.provider}: a piece that it sent is not of the manifest’s file`);
  world.providers.set(honest.provider, uri);
  await eventually('the download ends', () => {
    world.block();
    return taker.taken.size === 1;
  });
  expect(taker.taken.get(1n)?.get(honest.provider)).toBe(12);
  expect(isWhole(taker)).toBe(true);
  expect(taker.store.held.get(1n)?.written.length).toBe(12);
});

test('a peer that vanishes midway: what is missing comes from another', async () => {
  world = new World(24);
  const slow = { rules: { downloadRate: 2_000_000 } };
  const [first, second, taker] = [
    await world.peer('first'),
    await world.peer('second'),
    await world.peer('taker', slow),
  ];
  first.store.give(world.manifest);
  world.look(first);
  world.look(taker);
  await eventually('some pieces are there', () => piecesOf(taker) > 2);
  await first.exchange.close();
  expect(isWhole(taker)).toBe(false);
  second.store.give(world.manifest);
  world.providers.delete(first.provider);
  world.look(second);
  await eventually('all are there', () => isWhole(taker));
  expect(new Set(taker.store.held.get(1n)?.written).size).toBe(24);
  expect(piecesOf(taker)).toBe(24);
});

test('a restart in the middle goes on with what was written', async () => {
  world = new World(24);
  const slow = { rules: { downloadRate: 2_000_000 } };
  const [first, taker] = [await world.peer('first'), await world.peer('taker', slow)];
  first.store.give(world.manifest);
  world.block();
  await eventually('some pieces are there', () => piecesOf(taker) > 2);
  await taker.exchange.close();
  expect(isWhole(taker)).toBe(false);
  world.peers.splice(world.peers.indexOf(taker), 1);
  world.participants = world.participants.filter(({ provider }) => provider !== taker.provider);
  const again = await world.peer('again', { store: taker.store });
  world.block();
  await eventually('all are there', () => again.taken.size === 1);
  expect(piecesOf(again)).toBe(24);
  expect(new Set(again.store.held.get(1n)?.written).size).toBe(24);
});

test('a full disk stops the download with a message; it ends when there is room', async () => {
  world = new World(6);
  const [first, taker] = [
    await world.peer('first'),
    await world.peer('taker', { change: { limits: { diskMs: 500 } } }),
  ];
  first.store.give(world.manifest);
  const carried = taker.store.give(world.manifest, [], []);
  carried.fails = new Error('ENOSPC: no space left on device, write');
  world.block();
  const text = 'manifest: the disk takes it not: ENOSPC: no space left on device, write; it is tried again in 0.5 s';
  await eventually('it is told', () => taker.log.includes(text));
  expect(carried.written).toEqual([]);
  carried.fails = undefined;
  await eventually('all are there', () => taker.taken.size === 1);
  expect(first.exchange.figures().dropped).toEqual({});
});

test('closing hangs up on a peer that has not said hello yet', async () => {
  world = new World(3);
  const taker = await world.peer('taker');
  const silent = await makeProvider('mu1silent0000000', around);
  let near: TLSSocket | undefined;
  const listener = createServer(peerListenOptions(credentialsOf(silent)), (socket) => {
    near = socket.on('error', () => {});
    near.resume();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', () => resolve()));
  world.register(silent, (listener.address() as AddressInfo).port);
  world.lease(silent.provider);
  world.look(taker);
  await eventually('it is dialled', () => near !== undefined);
  let isOver = false;
  near?.once('close', () => {
    isOver = true;
  });
  await taker.exchange.close();
  await eventually('it is hung up on', () => isOver, 5_000);
  await new Promise((resolve) => listener.close(resolve));
});

test('a peer that floods one which has no head yet is dropped', async () => {
  world = new World(3);
  const taker = await world.peer('taker', standing());
  const other = await makeProvider('mu1other00000000', around);
  world.register(other, 1);
  world.lease(other.provider);
  world.look(taker);
  await taker.exchange.settled();
  const one = await stranger(taker.port, credentialsOf(other));
  one.say(helloFor(world.manifest), { type: 'pieces', count: 3, have: new Uint8Array(1) });
  await eventually('it is let in', () => one.of('hello').length === 1);
  one.say(...Array(1_100).fill({ type: 'done' }));
  await eventually('it is hung up on', () => one.isOver);
  expect(taker.exchange.figures().dropped).toEqual({ flood: 1 });
});

test('a head that comes when the lease it was asked for is over is not taken up', async () => {
  world = new World(3);
  const taker = await world.peer('taker');
  const other = await makeProvider('mu1other00000000', around);
  world.register(other, 1);
  world.lease(other.provider);
  world.look(taker);
  await taker.exchange.settled();
  const one = await stranger(taker.port, credentialsOf(other));
  one.say(helloFor(world.manifest));
  await eventually('it is asked', () => one.of('get-head').length === 1);
  taker.exchange.look([{ owner, dseq: 7n, infrastructures: [] }], world.height);
  one.say({ type: 'head', bytes: world.manifest.headBytes }, { type: 'get-head' });
  await eventually('an answer', () => one.of('head').length === 1);
  expect([one.of('head')[0]?.bytes.length, taker.store.held.size]).toEqual([0, 0]);
});

describe('a peer that does not keep to the protocol', () => {
  let holder: TestPeer;
  let one: Stranger;
  let other: TestProvider;
  beforeEach(async () => {
    world = new World(3);
    holder = await world.peer('holder', standing());
    holder.store.give(world.manifest);
    other = await makeProvider('mu1other00000000', around);
    world.register(other, 1);
    world.lease(other.provider);
    world.block();
    await holder.exchange.settled();
    one = await stranger(holder.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('pieces', () => one.of('pieces').length === 1);
  });

  const none = (): WireMessage => ({ type: 'pieces', count: 3, have: new Uint8Array(1) });
  const all = (): WireMessage => ({ type: 'pieces', count: 3, have: new Uint8Array([0xe0]) });
  const isDropped = async (reason: string | undefined): Promise<void> => {
    await eventually('it is hung up on', () => one.isOver);
    expect(holder.exchange.figures().dropped).toEqual(reason === undefined ? {} : { [reason]: 1 });
    expect(holder.exchange.figures().connections).toBe(0);
  };

  it.each<[string, readonly WireMessage[], string]>([
    ['a piece that there is not', [none(), { type: 'request', piece: 3 }], 'bad-message'],
    ['another number of pieces', [{ type: 'pieces', count: 4, have: new Uint8Array(1) }], 'bad-message'],
    ['its pieces twice', [none(), none()], 'bad-message'],
    ['requests without leave', [all(), ...Array(34).fill({ type: 'request', piece: 1 })], 'unasked'],
    ['more messages than anybody needs', [none(), ...Array(1_100).fill({ type: 'have', piece: 1 })], 'flood'],
    ['the head twice', [{ type: 'get-head' }, { type: 'get-head' }], 'repeats'],
    ['keys again and again', [{ type: 'get-keys' }, { type: 'get-keys' }], 'repeats'],
    [
      'pieces that nobody asked for',
      [none(), ...Array(34).fill({ type: 'piece', piece: 1, aunts: [], bytes: new Uint8Array(9) })],
      'unasked',
    ],
  ])('%s', async (_, messages, reason) => {
    one.say(...messages);
    await isDropped(reason);
  });

  it.each<[string, Uint8Array]>([
    [
      'a hello again',
      encodeMessage({
        type: 'hello',
        protocol: 1,
        chainId: 'x',
        owner: 'y',
        dseq: 1n,
        revision: 1n,
        version: new Uint8Array(32),
      }),
    ],
    ['a head that was not asked for', encodeMessage({ type: 'head', bytes: new Uint8Array(9) })],
    ['keys that were not asked for', encodeMessage({ type: 'keys', keys: [] })],
    ['a length without end', new Uint8Array([0xff, 0xff, 0xff, 0xff, 13])],
    ['an unknown kind', new Uint8Array([0, 0, 0, 1, 99])],
  ])('%s', async (_, bytes) => {
    one.socket.write(bytes);
    await isDropped(undefined);
  });

  it('more messages than anybody needs, to one that wants nothing any more', async () => {
    holder.exchange.look([{ owner, dseq: 7n, infrastructures: [] }], world.height);
    one.say(none(), ...Array(1_100).fill({ type: 'grant', piece: undefined, now: true }));
    await isDropped('flood');
  });

  it('is not let in again', async () => {
    one.say(none(), none());
    await isDropped('bad-message');
    const again = await stranger(holder.port, credentialsOf(other));
    again.say(helloFor(world.manifest));
    await eventually('it is hung up on', () => again.isOver);
    expect(again.bytes).toBe(0);
    expect(holder.exchange.figures().refused).toEqual({ dropped_before: 1 });
  });
});
