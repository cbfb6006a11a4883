/** The memory of pieces and heads on their way: one bound over all manifests of a daemon, and turns for all. */
import { type AddressInfo, createServer, type Socket, connect as tcp } from 'node:net';
import { readU64be } from '@mu/lib/bytes';
import type { CarriedPiece } from '../../src/manifests/carried.ts';
import { PeerConnection } from '../../src/peers/connection.ts';
import { Exchange } from '../../src/peers/exchange.ts';
import type { PeerDropReason } from '../../src/peers/exchange-options.ts';
import { deaf } from '../../src/peers/hello.ts';
import { IncomingPieces } from '../../src/peers/incoming-pieces.ts';
import { peerLimits } from '../../src/peers/limits.ts';
import { Line } from '../../src/peers/line.ts';
import type { Link } from '../../src/peers/link.ts';
import { type GiveBack, MemoryBudget, RoomTurn } from '../../src/peers/memory-budget.ts';
import { swarmTimes } from '../../src/swarm/limits.ts';
import { MessageReader } from '../../src/swarm/message-reader.ts';
import type { WireMessage } from '../../src/swarm/messages.ts';
import { encodeMessage } from '../../src/swarm/wire.ts';
import { eventually } from '../network/support/eventually.ts';
import { ManualTimers } from '../overlay/support/manual-timers.ts';
import { chainId } from '../overlay/support/providers.ts';
import { MemoryCarried, MemoryStore, makeManifest, type TestManifest } from './support/manifests.ts';
import { around } from './support/world.ts';

const piece = 262_144;

describe('a budget', () => {
  const budget = (most = 100, mostOfPeer = 100) => new MemoryBudget({ most, mostOfPeer });

  it('runs at once what fits, the rest when room is given back; giving back twice is once', () => {
    const memory = budget();
    const gives: GiveBack[] = [];
    for (const swarm of ['a', 'b', 'c']) memory.use({ swarm, bytes: 40 }, (giveBack) => gives.push(giveBack));
    expect([gives.length, memory.taken]).toEqual([2, 80]);
    gives[0]?.();
    gives[0]?.();
    expect([gives.length, memory.taken, memory.peak]).toEqual([3, 80, 80]);
    for (const give of gives) give();
    expect(memory.taken).toBe(0);
  });

  it('serves manifests in turn, one thing each, and nobody passes a large thing', () => {
    const memory = budget();
    const done: string[] = [];
    const gives: GiveBack[] = [];
    const use = (name: string, swarm: string, bytes: number): (() => void) =>
      memory.use({ swarm, bytes }, (giveBack) => {
        done.push(name);
        gives.push(giveBack);
      });
    use('a1', 'a', 60);
    use('a2', 'a', 60);
    use('a3', 'a', 60);
    use('b1', 'b', 90);
    use('c1', 'c', 10);
    expect(memory.take({ swarm: 'd', bytes: 1 })).toBeUndefined();
    const next = (): void => gives.shift()?.();
    next();
    expect(done).toEqual(['a1', 'a2']);
    next();
    // It leaves the room for the third of the first, whose next turn comes behind the others.
    expect(done).toEqual(['a1', 'a2', 'b1', 'c1']);
    // What is taken back while it waits is not served.
    const takeBack = use('d1', 'd', 60);
    takeBack();
    next();
    expect(done).toEqual(['a1', 'a2', 'b1', 'c1', 'a3']);
    expect(memory.isWanted).toBe(false);
  });

  it('what is larger than all goes alone, and one peer does not take all', () => {
    const memory = budget(100, 30);
    const done: string[] = [];
    let giveBack: GiveBack = () => {};
    memory.use({ swarm: 'a', peer: 'p', bytes: 500 }, (give) => {
      giveBack = give;
    });
    memory.use({ swarm: 'a', peer: 'q', bytes: 20 }, () => done.push('q1'));
    expect(done).toEqual([]);
    giveBack();
    memory.use({ swarm: 'a', peer: 'q', bytes: 20 }, () => done.push('q2'));
    memory.use({ swarm: 'b', peer: 'r', bytes: 20 }, () => done.push('r'));
    expect(done).toEqual(['q1', 'r']);
    memory.forget('a', 'q');
    expect(memory.isWanted).toBe(false);
  });

  it('a turn that is not used goes on to the next', async () => {
    const timers = new ManualTimers();
    const memory = budget();
    const told: string[] = [];
    const turn = (swarm: string): RoomTurn =>
      new RoomTurn({ memory, timers, swarm, turnMs: 5_000, came: () => told.push(swarm) });
    const give = memory.take({ swarm: 'x', bytes: 100 });
    const [a, b] = [turn('a'), turn('b')];
    expect([a.may(60), b.may(60), a.may(60)]).toEqual([false, false, false]);
    give?.();
    await Promise.resolve();
    expect([told, a.may(60), b.may(60)]).toEqual([['a'], true, false]);
    timers.advance(5_000);
    await Promise.resolve();
    expect(told).toEqual(['a', 'b']);
    b.take(60)?.();
    // What was taken is not given back by the turn's end, nor what waits after its own end.
    timers.advance(5_000);
    expect(memory.taken).toBe(0);
    a.close();
    expect(a.may(1)).toBe(false);
  });
});

/** A disk that does one thing a round, and the bytes that it was given at once. */
class SlowDisk {
  readonly #waiting: (() => void)[] = [];
  #bytes = 0;
  peak = 0;

  /** Each of these functions of a manifest waits its round. */
  slow(carried: MemoryCarried): MemoryCarried {
    const { read, write } = carried;
    carried.read = async (at) => {
      await this.#round(carried.pieces.bytesOf(at));
      return read.call(carried, at);
    };
    carried.write = async (at, bytes) => {
      await this.#round(bytes.length);
      return write.call(carried, at, bytes);
    };
    return carried;
  }

  round(): void {
    this.#waiting.shift()?.();
  }

  async #round(bytes: number): Promise<void> {
    this.#bytes += bytes;
    this.peak = Math.max(this.peak, this.#bytes);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#bytes -= bytes;
  }
}

/** Its manifests are on a slow disk. */
class SlowStore extends MemoryStore {
  readonly disk = new SlowDisk();

  override async adopt(...of: Parameters<MemoryStore['adopt']>): Promise<MemoryCarried> {
    return this.disk.slow(await super.adopt(...of));
  }

  override give(...of: Parameters<MemoryStore['give']>): MemoryCarried {
    return this.disk.slow(super.give(...of));
  }
}

/** A provider with so much memory either way, and what it was seen to hold. */
class Side {
  readonly provider: string;
  readonly store: SlowStore;
  readonly lines: { readonly up: Line; readonly down: Line };
  readonly dropped: PeerDropReason[] = [];
  readonly exchanges: Exchange[] = [];
  held: readonly string[] = ['web'];
  #taken = 0;

  constructor(provider: string, manifests: readonly TestManifest[], most: number) {
    this.provider = provider;
    this.store = new SlowStore(manifests);
    const line = (): Line => new Line(0, timers, { most, mostOfPeer: most });
    this.lines = { up: line(), down: line() };
  }

  get taken(): number {
    return this.#taken;
  }

  async exchange({ key, version }: TestManifest): Promise<Exchange> {
    const exchange = new Exchange({
      ...{ name: { ...key, chainId, version }, own: this.provider, store: this.store, timers, lines: this.lines },
      random: (end) => Number(readU64be(around.random(8)) % BigInt(end)),
      held: () => this.held,
      leasesOf: async () => ['web'],
      events: {
        taken: () => {
          this.#taken += 1;
        },
        dropped: (_, reason) => this.dropped.push(reason),
        ...{ trouble: () => {}, moved: () => {}, left: () => {} },
      },
    });
    await exchange.load();
    this.exchanges.push(exchange);
    return exchange;
  }

  connect(exchange: Exchange, other: string, socket: Socket, isDialled: boolean): void {
    const connection = new PeerConnection({ socket, timers, handler: deaf });
    const notAfterMs = Number.POSITIVE_INFINITY;
    exchange.add({ provider: other, chain: [], role: 'receive', notAfterMs, isDialled, connection });
  }

  tick(): void {
    this.store.disk.round();
    for (const exchange of this.exchanges) exchange.tick();
  }

  close(): void {
    for (const exchange of this.exchanges) exchange.close();
  }
}

const timers = new ManualTimers();
const server = createServer();
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => void server.close());

/** Both ends of a connection. */
async function sockets(): Promise<readonly [Socket, Socket]> {
  const { port } = server.address() as AddressInfo;
  const far = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const near = tcp(port, '127.0.0.1');
  return [near, await far];
}

test('many manifests at once keep within the memory of a few pieces, and all come whole', async () => {
  const count = 24;
  const manifests = Array.from({ length: count }, (_, at) => makeManifest(6, BigInt(at + 1), around));
  // Out for three pieces, in for four and a head.
  const [giver, taker] = [
    new Side('mu1giver', manifests, 3 * piece),
    new Side('mu1taker', manifests, 4 * piece + 1_048_576),
  ];
  for (const manifest of manifests) {
    giver.store.give(manifest, manifest.pieces.keys(), ['web', 'common']);
    const [near, far] = await sockets();
    giver.connect(await giver.exchange(manifest), taker.provider, near, false);
    taker.connect(await taker.exchange(manifest), giver.provider, far, true);
  }
  await eventually(
    'all have come',
    () => {
      timers.advance(250);
      giver.tick();
      taker.tick();
      return taker.taken === count;
    },
    30_000,
  );
  const [up, down] = [giver.lines.up.memory, taker.lines.down.memory];
  // It was short: each of the manifests had pieces to move.
  expect(up.peak).toBeGreaterThan(2 * piece);
  expect(up.peak).toBeLessThanOrEqual(3 * piece);
  expect(down.peak).toBeGreaterThan(3 * piece + 1_048_576);
  expect(down.peak).toBeLessThanOrEqual(4 * piece + 1_048_576);
  // What stood before the disks is what was counted.
  expect(giver.store.disk.peak).toBeLessThanOrEqual(up.peak);
  expect(taker.store.disk.peak).toBeLessThanOrEqual(down.peak);
  expect([giver.dropped, taker.dropped]).toEqual([[], []]);
  expect([up.taken, down.taken, up.isWanted, down.isWanted]).toEqual([0, 0, false, false]);
  for (const side of [giver, taker]) side.close();
}, 40_000);

test('a piece that says to be longer than it is drops its sender by its header: nothing is kept for it', async () => {
  const manifest = makeManifest(3, 1n, around);
  const taker = new Side('mu1taker', [manifest], 4 * piece);
  taker.store.give(manifest, [0], ['web', 'common']);
  const [near, far] = await sockets();
  taker.connect(await taker.exchange(manifest), 'mu1liar', near, true);
  const reader = new MessageReader();
  const asked: number[] = [];
  far.on('data', (chunk: Uint8Array) => {
    for (const message of reader.push(chunk)) if (message.type === 'request') asked.push(message.piece);
  });
  far.write(encodeMessage({ type: 'pieces', count: 3, have: Uint8Array.of(0b1110_0000) }));
  far.write(encodeMessage({ type: 'grant', piece: 1, now: true }));
  await eventually('it is asked for', () => asked.length === 1);
  expect(taker.lines.down.memory.taken).toBe(piece);
  far.write(encodeMessage({ type: 'piece', piece: 1, aunts: [], bytes: new Uint8Array(1_048_576) }).subarray(0, 9));
  await eventually('it is dropped', () => taker.dropped.length === 1);
  expect([taker.dropped, taker.lines.down.memory.taken]).toEqual([['false-piece'], 0]);
  taker.close();
});

/** The far end of a connection: what it is told, and what it says. */
async function stranger(taker: Side, exchange: Exchange, provider: string) {
  const [near, far] = await sockets();
  taker.connect(exchange, provider, near, true);
  const reader = new MessageReader();
  const told: WireMessage[] = [];
  far.on('data', (chunk: Uint8Array) => told.push(...reader.push(chunk)));
  const heard = (type: WireMessage['type']): number => told.filter((one) => one.type === type).length;
  let isOver = false;
  far.on('close', () => {
    isOver = true;
  });
  return { say: (message: WireMessage) => void far.write(encodeMessage(message)), heard, isOver: () => isOver };
}

test('a piece that was taken back and finds no room costs nothing that others are asked for', async () => {
  const manifest = makeManifest(3, 1n, around);
  const taker = new Side('mu1taker', [manifest], 2 * piece);
  taker.store.give(manifest, [0, 2], ['web', 'common']);
  const exchange = await taker.exchange(manifest);
  const [slow, other] = [await stranger(taker, exchange, 'mu1slow'), await stranger(taker, exchange, 'mu1other')];
  for (const one of [slow, other]) one.say({ type: 'pieces', count: 3, have: Uint8Array.of(0b1110_0000) });
  slow.say({ type: 'grant', piece: 1, now: true });
  await eventually('it is asked for', () => slow.heard('request') === 1);
  timers.advance(swarmTimes.requestMs + 1);
  taker.tick();
  await eventually('it is taken back', () => slow.heard('cancel') === 1);
  other.say({ type: 'grant', piece: 1, now: true });
  await eventually('the other is asked', () => other.heard('request') === 1);
  const giveBack = taker.lines.down.memory.take({ swarm: 'another', bytes: piece });
  expect(giveBack).toBeDefined();
  const { bytes, aunts } = (await new MemoryCarried(manifest).give(manifest).read(1)) as CarriedPiece;
  slow.say({ type: 'piece', piece: 1, aunts, bytes });
  slow.say({ type: 'grant', piece: 0, now: true });
  await eventually('it was read past', () => slow.heard('decline') === 1);
  expect([other.heard('cancel'), taker.lines.down.memory.taken]).toEqual([0, 2 * piece]);
  giveBack?.();
  taker.close();
});

test('where what is held is gone from the disk nobody is asked for a head that was given already', async () => {
  const manifest = makeManifest(3, 1n, around);
  const taker = new Side('mu1taker', [manifest], 2_097_152);
  taker.store.give(manifest, [0], ['web', 'common']);
  const exchange = await taker.exchange(manifest);
  const peers = [await stranger(taker, exchange, 'mu1a'), await stranger(taker, exchange, 'mu1b')];
  for (const peer of peers) await eventually('it has a head', () => peer.heard('pieces') === 1);
  taker.store.held.clear();
  await exchange.load();
  for (const peer of peers) await eventually('it is over', () => peer.isOver());
  expect([exchange.links, ...peers.map((peer) => peer.heard('get-head'))]).toEqual([[], 0, 0]);
  taker.close();
});

test('who asks again for long for what its own disk does not take is not banned for that', async () => {
  const manifest = makeManifest(1, 1n, around);
  const [giver, taker] = [new Side('mu1giver', [manifest], 2_097_152), new Side('mu1taker', [manifest], 2_097_152)];
  giver.store.give(manifest, [0], ['web', 'common']);
  const own = taker.store.give(manifest, [], ['web', 'common']);
  own.fails = new Error('ENOSPC');
  const [from, to] = [await giver.exchange(manifest), await taker.exchange(manifest)];
  const meet = async (): Promise<void> => {
    const [near, far] = await sockets();
    for (const one of [near, far]) one.setNoDelay();
    giver.connect(from, taker.provider, near, false);
    taker.connect(to, giver.provider, far, true);
  };
  await meet();
  await eventually('it is dropped', () => {
    timers.advance(1_000);
    giver.tick();
    taker.tick();
    return giver.dropped.length > 0;
  });
  expect([giver.dropped, from.isBanned(taker.provider)]).toEqual([['repeats'], false]);
  own.fails = undefined;
  await meet();
  await eventually('it comes', () => {
    timers.advance(1_000);
    giver.tick();
    taker.tick();
    return taker.taken === 1;
  });
  for (const side of [giver, taker]) side.close();
});

describe('a head that is asked for', () => {
  const started = async () => {
    const manifest = makeManifest(3, 1n, around);
    const taker = new Side('mu1taker', [manifest], 1_048_576);
    const exchange = await taker.exchange(manifest);
    const silent = await stranger(taker, exchange, 'mu1silent');
    await eventually('it is asked for', () => silent.heard('get-head') === 1);
    expect(taker.lines.down.memory.taken).toBe(1_048_576);
    return { manifest, taker, exchange };
  };
  const passes = (taker: Side): void => {
    timers.advance(peerLimits.headMs);
    taker.tick();
  };

  it('holds its memory no longer than it is waited for where its user has handed it over meanwhile', async () => {
    const { manifest, taker, exchange } = await started();
    taker.store.give(manifest, [0], ['web', 'common']);
    await exchange.load();
    passes(taker);
    expect([taker.lines.down.memory.taken, taker.dropped]).toEqual([0, ['silent']]);
    taker.close();
  });

  it('nor where the lease has ended that it was for', async () => {
    const { taker } = await started();
    taker.held = [];
    passes(taker);
    expect([taker.lines.down.memory.taken, taker.dropped]).toEqual([0, ['silent']]);
    taker.close();
  });
});

describe('pieces that come', () => {
  const limits = { turnMs: 5_000, slowPieceMs: 120_000 };
  const memory = () => new MemoryBudget({ most: 300, mostOfPeer: 300 });
  const letGo: string[] = [];
  const linkOf = (provider: string): Link =>
    ({ provider, connection: { letGo: () => letGo.push(provider) } }) as unknown as Link;
  const pieces = (of: MemoryBudget, swarm = 's') =>
    new IncomingPieces({ memory: of, timers, limits, swarm, bytesOf: () => 100, roomCame: () => {} });

  it('hold their room from the request until they are written, or do not come', () => {
    const budget = memory();
    const [own, link] = [pieces(budget), linkOf('p')];
    for (const piece of [1, 2, 3]) {
      expect(own.mayAsk(100)).toBe(true);
      own.asked(link, piece);
    }
    expect([budget.taken, own.mayAsk(100)]).toEqual([300, false]);
    // Taken back while it comes: it is in memory until it has come.
    expect(own.begun(link, 1)).toBe(true);
    own.over(link, 1);
    own.over(link, 2);
    expect(budget.taken).toBe(300);
    // What was given back went to the one that waited.
    expect(own.mayAsk(100)).toBe(true);
    const written = own.came(link, 1);
    own.left(link);
    expect(budget.taken).toBe(200);
    written?.();
    own.close();
    expect(budget.taken).toBe(0);
  });

  it('are read past where they were taken back and there is no room', () => {
    const budget = memory();
    const [own, link] = [pieces(budget), linkOf('p')];
    const rest = budget.take({ swarm: 'other', bytes: 250 });
    expect(own.begun(link, 7)).toBe(false);
    rest?.();
    expect([own.begun(link, 7), budget.taken]).toEqual([true, 100]);
    own.close();
    expect(budget.taken).toBe(0);
  });

  it('are let go where they come too slowly while others wait', () => {
    const budget = memory();
    const [own, other, link] = [pieces(budget), pieces(budget, 'other'), linkOf('slow')];
    for (const piece of [1, 2, 3]) own.asked(link, piece);
    own.begun(link, 1);
    timers.advance(limits.slowPieceMs);
    own.tick();
    expect(letGo).toEqual([]);
    expect(other.mayAsk(100)).toBe(false);
    own.tick();
    expect(letGo).toEqual(['slow']);
    expect([other.mayAsk(100), budget.taken]).toEqual([true, 300]);
    other.close();
    own.close();
    expect(budget.taken).toBe(0);
  });

  it('are let go one by one: no more of them than what others wait for takes', () => {
    const budget = memory();
    const [own, other] = [pieces(budget), pieces(budget, 'other')];
    letGo.length = 0;
    for (const name of ['a', 'b', 'c']) {
      const link = linkOf(name);
      own.asked(link, 1);
      own.begun(link, 1);
      timers.advance(1);
    }
    expect(other.mayAsk(100)).toBe(false);
    timers.advance(limits.slowPieceMs);
    own.tick();
    expect([letGo, other.mayAsk(100), budget.taken]).toEqual([['a'], true, 300]);
    other.close();
    own.close();
    expect(budget.taken).toBe(0);
  });
});
