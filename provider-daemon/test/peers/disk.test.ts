/** The exchange over real stores on the disk, among providers over TLS: what comes, what is kept, what is erased. */
import { existsSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { type Lease, LeaseState } from '@mu/proto/market';
import { pino } from 'pino';
import { ManifestEnds } from '../../src/leases/manifest-ends.ts';
import { promiseMs } from '../../src/manifests/disk-room.ts';
import { eventually } from '../network/support/eventually.ts';
import { makeProvider, owner } from '../overlay/support/providers.ts';
import { Disk, deliver } from './support/disk.ts';
import { helloFor, stranger } from './support/stranger.ts';
import { around, credentialsOf, type PeerSettings, type TestPeer, World } from './support/world.ts';

let world: World;
const disks: Disk[] = [];
afterEach(async () => {
  await world.close();
  for (const disk of disks.splice(0)) disk.remove();
});

const newDisk = (...change: ConstructorParameters<typeof Disk>): Disk => {
  const disk = new Disk(...change);
  disks.push(disk);
  return disk;
};
const join = (name: string, disk: Disk, settings: PeerSettings = {}): Promise<TestPeer> =>
  world.peer(name, { ...settings, change: { store: disk.store, ...settings.change } });
const slow = { rules: { downloadRate: 2_000_000 } };
const wholeBytes = (): Buffer => Buffer.concat(world.manifest.pieces);

/** All pieces are there, as they should be, and these keys. */
async function holds(disk: Disk, keys: readonly string[]): Promise<void> {
  expect(disk.keys(world.manifest)).toEqual(keys);
  expect(readFileSync(disk.at(world.manifest, 'file-0')).equals(wholeBytes())).toBe(true);
  const { path } = await disk.store.load(world.manifest.key)!.fileOf('f.wasm');
  expect(path).toBe(disk.at(world.manifest, 'file-0'));
}

test('from one whose user has handed it over to two others: head, keys of theirs, pieces, and what is startable', async () => {
  world = new World(12);
  const [first, second, third] = [newDisk(), newDisk(), newDisk()];
  await join('first', first, { infrastructures: ['web'] });
  const db = await join('second', second, { infrastructures: ['db'] });
  const web = await join('third', third, { infrastructures: ['web'] });
  await deliver(first, world.manifest, { infrastructures: ['web', 'common'] });
  world.block();
  // The key of `db` is with nobody: its holder has the pieces, and waits for it.
  await eventually('one has all', () => web.taken.size === 1);
  await eventually('the other has all pieces', async () => (await second.pieces(world.manifest)) === 12);
  await holds(third, ['common', 'web']);
  await eventually('and the key for all', () => second.keys(world.manifest).length === 1);
  await holds(second, ['common']);
  expect([third.told, second.told]).toEqual([expect.arrayContaining(['web']), ['common']]);
  expect(db.taken.size).toBe(0);
  // With the next delivery, to any of them.
  await deliver(second, world.manifest, { infrastructures: ['db'], withFile: false });
  db.exchange.changed(owner, 7n);
  world.block();
  await eventually('it has all', () => db.taken.size === 1);
  await holds(second, ['common', 'db']);
  expect(second.store.have(world.manifest.key, 'db')).toBe(true);
});

test('from whom a manifest came is known after a restart too; its user’s own is nobody’s', async () => {
  world = new World(3);
  const [first, second] = [newDisk(), newDisk()];
  const holder = await join('first', first);
  const taker = await join('second', second);
  await deliver(first, world.manifest, { infrastructures: ['web', 'common'] });
  world.block();
  await eventually('it is there', () => taker.taken.size === 1);
  const from = () => [first, second].map(({ store }) => store.record(world.manifest.key)?.from);
  expect(from()).toEqual([[], [holder.provider]]);
  for (const disk of [first, second]) disk.open();
  expect(from()).toEqual([[], [holder.provider]]);
});

test('room that was promised and not used is others’ after the stated time: it is told, and comes when there is room', async () => {
  world = new World(6);
  let nowMs = 0;
  const now = () => nowMs;
  const [first, second] = [newDisk(), newDisk({ now })];
  const holder = await join('first', first);
  await deliver(first, world.manifest, { infrastructures: ['web', 'common'] });
  await second.store.adopt({ ...world.manifest.key, ...world.name }, world.manifest.headBytes);
  // The disk has filled up meanwhile.
  second.open({ now, keepFree: Number.MAX_SAFE_INTEGER });
  nowMs += promiseMs;
  const taker = await join('second', second, { change: { limits: { diskMs: 100 } } });
  world.block();
  await eventually('it is told', () => taker.log.some((line) => line.includes('0 are free for them')));
  expect(await second.pieces(world.manifest)).toBe(0);
  await taker.exchange.close();
  world.peers.splice(world.peers.indexOf(taker), 1);
  second.open({ now });
  nowMs += promiseMs;
  const again = await join('again', second);
  world.block();
  await eventually('all is there', () => again.taken.size === 1);
  await holds(second, ['common', 'web']);
  expect([holder.exchange.figures().dropped, again.exchange.figures().dropped]).toEqual([{}, {}]);
});

test('a restart in the middle, with a new store and a new exchange, goes on with what the disk has', async () => {
  world = new World(24);
  const [first, second] = [newDisk(), newDisk()];
  const holder = await join('first', first);
  const taker = await join('second', second, slow);
  await deliver(first, world.manifest, { infrastructures: ['web', 'common'] });
  world.block();
  await eventually('some pieces are there', async () => (await second.pieces(world.manifest)) > 4);
  await taker.exchange.close();
  world.peers.splice(world.peers.indexOf(taker), 1);
  world.participants = world.participants.filter(({ provider }) => provider !== taker.provider);
  const before = holder.exchange.figures().sentBytes;
  second.open();
  const had = await second.pieces(world.manifest);
  expect(had).toBeGreaterThan(4);
  expect(had).toBeLessThan(24);
  const again = await join('again', second);
  world.block();
  await eventually('all is there', () => again.taken.size === 1);
  await holds(second, ['common', 'web']);
  // What was there is not asked for again.
  expect(again.exchange.figures().receivedBytes).toBeLessThanOrEqual((24 - had) * 262_144);
  expect(holder.exchange.figures().sentBytes - before).toBeLessThanOrEqual((24 - had) * 262_144);
});

test('no room for the files: nothing is taken up, nobody is blamed; it comes when there is room', async () => {
  world = new World(6);
  const first = newDisk();
  const second = newDisk({ keepFree: Number.MAX_SAFE_INTEGER });
  const holder = await join('first', first);
  const limits = { diskMs: 100 };
  const taker = await join('second', second, { change: { limits } });
  await deliver(first, world.manifest, { infrastructures: ['web', 'common'] });
  world.block();
  await eventually('it is told', () => taker.log.some((line) => line.includes('0 are free for them')));
  expect(second.folders).toEqual([]);
  await taker.exchange.close();
  world.peers.splice(world.peers.indexOf(taker), 1);
  second.open();
  const again = await join('again', second, { change: { limits } });
  world.block();
  await eventually('all is there', () => again.taken.size === 1);
  await holds(second, ['common', 'web']);
  expect([holder.exchange.figures().dropped, again.exchange.figures().dropped]).toEqual([{}, {}]);
});

test('a disk that is full in the middle: nothing counts that it did not take; it goes on when there is room', async () => {
  world = new World(12);
  const [first, second] = [newDisk(), newDisk()];
  const holder = await join('first', first);
  await deliver(first, world.manifest, { infrastructures: ['web', 'common'] });
  await second.store.adopt({ ...world.manifest.key, ...world.name }, world.manifest.headBytes);
  const file = second.at(world.manifest, 'file-0');
  renameSync(file, `${file}.kept`);
  // Every write to it fails as on a full disk.
  symlinkSync('/dev/full', file);
  const taker = await join('second', second, { change: { limits: { diskMs: 100 } } });
  world.block();
  await eventually('it is told', () => taker.log.some((line) => line.includes('ENOSPC')));
  expect(await second.pieces(world.manifest)).toBe(0);
  renameSync(`${file}.kept`, file);
  await eventually('all is there', () => taker.taken.size === 1);
  await holds(second, ['common', 'web']);
  expect([holder.exchange.figures().dropped, taker.exchange.figures().dropped]).toEqual([{}, {}]);
});

test.each([true, false])(
  'a delivery of the user’s during the exchange joins it (with its file: %s)',
  async (withFile) => {
    world = new World(24);
    const [first, second, third] = [newDisk(), newDisk(), newDisk()];
    await join('first', first);
    const taker = await join('second', second, slow);
    await deliver(first, world.manifest, { infrastructures: ['common', 'web'] });
    world.block();
    await eventually('some pieces are there', async () => (await second.pieces(world.manifest)) > 2);
    const folder = second.at(world.manifest, '');
    const record = await deliver(second, world.manifest, { infrastructures: ['web'], withFile });
    expect([record.folder.length > 0, second.at(world.manifest, '')]).toEqual([true, folder]);
    expect(record.infrastructures.includes('web')).toBe(withFile);
    taker.exchange.changed(owner, 7n);
    await eventually('all is there', async () => {
      world.block();
      const pieces = await second.pieces(world.manifest);
      return pieces === 24 && second.keys(world.manifest).length === 2 && second.store.have(record, 'web');
    });
    await holds(second, ['common', 'web']);
    // And is handed on: the first holder is away.
    await world.peers[0]!.exchange.close();
    const late = await join('third', third);
    await eventually('a third has it from the second', () => {
      world.block();
      return late.taken.size === 1;
    });
    await holds(third, ['common', 'web']);
    expect(late.taken.get(1n)?.get(taker.provider)).toBe(24);
    expect(second.folders).toHaveLength(1);
  },
  30_000,
);

test('a manifest that was erased under its exchange comes anew with the next lease', async () => {
  world = new World(3);
  const [first, second] = [newDisk(), newDisk()];
  await join('first', first);
  const taker = await join('second', second);
  await deliver(first, world.manifest, { infrastructures: ['common', 'web'] });
  world.block();
  await eventually('it is there', () => taker.taken.size === 1);
  second.store.remove(world.manifest.key);
  expect(second.folders).toEqual([]);
  taker.exchange.changed(owner, 7n);
  world.block();
  await eventually('it is there again', () => second.store.have(world.manifest.key, 'web'));
  await holds(second, ['common', 'web']);
  expect(taker.exchange.figures().dropped).toEqual({});
});

describe('a holder whose lease has ended', () => {
  const over = async (standing: 'closed' | 'broken') => {
    world = new World(3);
    const disk = newDisk();
    const holder = await join('old', disk, { infrastructures: [], lease: { standing, closedHeight: 99n } });
    await deliver(disk, world.manifest, { infrastructures: ['common', 'web'] });
    const ends = new ManifestEnds({
      client: {} as ConstructorParameters<typeof ManifestEnds>[0]['client'],
      ...{ provider: holder.provider, journal: { leases: { all: () => [] } } as never, manifests: disk.store },
      ...{ graceBlocks: 100n, serves: () => false, inUse: () => [], endOf: () => Promise.resolve(undefined) },
      log: pino({ level: 'silent' }),
    });
    const state = standing === 'broken' ? LeaseState.LEASE_STATE_BROKEN : LeaseState.LEASE_STATE_CLOSED;
    ends.ended({ owner, dseq: 7n }, { state, closedHeight: 99n } as Lease);
    return { disk, holder, ends };
  };

  it('normally: serves for the grace, then all is erased and nothing is served', async () => {
    const { disk, holder, ends } = await over('closed');
    const [second, third] = [newDisk(), newDisk()];
    const fresh = await join('fresh', second);
    world.block();
    await eventually('it is handed on', () => fresh.taken.size === 1);
    await holds(second, ['common', 'web']);
    expect(fresh.taken.get(1n)?.get(holder.provider)).toBe(3);
    const head = disk.at(world.manifest, 'head.json');
    const sent = holder.exchange.figures().sentBytes;
    world.height = 198n;
    ends.height(198n);
    expect(existsSync(head)).toBe(true);
    ends.height(199n);
    expect([existsSync(head), disk.folders, disk.store.list()]).toEqual([false, [], []]);
    world.height = 199n;
    // What the daemon tells its exchange: nothing is held, nothing is wanted.
    holder.exchange.look([], 199n);
    await fresh.exchange.close();
    const late = await join('late', third);
    world.look(late);
    await eventually('it is not let in', () => (holder.exchange.figures().refused.other_manifest ?? 0) > 0);
    expect([third.folders, holder.exchange.figures().sentBytes]).toEqual([[], sent]);
  });

  it('by breaking: serves nothing, and all is erased at once', async () => {
    const { disk, holder } = await over('broken');
    expect([disk.folders, disk.store.list()]).toEqual([[], []]);
    const fresh = await join('fresh', newDisk());
    // Also where its daemon had not got to it yet: the others do not even ask it.
    await deliver(disk, world.manifest, { infrastructures: ['common', 'web'] });
    world.block();
    await fresh.exchange.settled();
    expect(fresh.exchange.figures().connections).toBe(0);
    // Nor is it let in where it dials.
    const other = await makeProvider('mu1other00000000', around);
    world.register(other, 1);
    world.lease(other.provider, { standing: 'broken', closedHeight: 99n });
    const one = await stranger(fresh.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('it is hung up on', () => one.isOver);
    expect([one.bytes, fresh.exchange.figures().refused]).toEqual([0, { no_lease: 1 }]);
    expect(holder.exchange.figures().sentBytes).toBe(0);
  });
});
