import { eventually } from '../network/support/eventually.ts';
import { owner } from '../overlay/support/providers.ts';
import type { TestManifest } from './support/manifests.ts';
import { isWhole, World } from './support/world.ts';

let world: World;
afterEach(() => world.close());

test('a peer takes head, pieces and its keys from the one that the user handed them to', async () => {
  world = new World(12);
  const [first, second] = [await world.peer('first'), await world.peer('second', { infrastructures: ['db'] })];
  first.store.give(world.manifest);
  world.block();
  await eventually('all is there', () => second.taken.size === 1);
  expect(isWhole(second, 1n, ['db', 'common'])).toBe(true);
  expect([...(second.store.held.get(1n)?.keys.keys() ?? [])].sort()).toEqual(['common', 'db']);
  expect(second.taken.get(1n)).toEqual(new Map([[first.provider, 12]]));
  expect([second.store.from.get(1n), first.store.from.size]).toEqual([[first.provider], 0]);
  expect(second.log).toContainEqual(
    `took the manifest of mu1owner00000000/7 revision 1 from ${first.provider} (12 pieces)`,
  );
  const { length } = world.manifest.pieces.reduce((all, { length }) => ({ length: all.length + length }), {
    length: 0,
  });
  expect(first.exchange.figures()).toMatchObject({ sentBytes: length, connections: 1, downloads: 0 });
  expect(second.exchange.figures()).toMatchObject({ receivedBytes: length, taken: 1, dropped: {}, refused: {} });
});

test('of five peers each hands on what it has', async () => {
  world = new World(24);
  const [first, ...others] = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => world.peer(name)));
  first!.store.give(world.manifest);
  world.block();
  await eventually('all have all', () => others.every(({ taken }) => taken.size === 1), 20_000);
  expect(others.every((one) => isWhole(one, 1n, ['common', 'web']))).toBe(true);
  for (const { store } of others) expect(store.held.get(1n)?.written.length).toBe(24);
  const size = world.manifest.pieces.reduce((sum, { length }) => sum + length, 0);
  const sent = world.peers.map(({ exchange }) => exchange.figures().sentBytes);
  expect(sent.slice(1).some((bytes) => bytes > 0)).toBe(true);
  expect(sent[0]).toBeLessThanOrEqual(2 * size + 262_144);
}, 40_000);

test('peers wait for one another without a head: who is handed it tells them', async () => {
  world = new World(3);
  const [first, second] = [await world.peer('first'), await world.peer('second')];
  world.block();
  await eventually('they are connected', () => second.exchange.figures().connections === 1);
  expect(second.taken.size).toBe(0);
  first.store.give(world.manifest);
  world.block();
  world.block();
  await eventually('it is there', () => second.taken.size === 1);
  expect(first.exchange.figures().dropped).toEqual({});
});

test('what its user hands over during a download counts', async () => {
  world = new World(6);
  const [first, second] = [await world.peer('first'), await world.peer('second')];
  first.store.give(world.manifest, [0, 1]);
  world.block();
  await eventually('two pieces', () => second.store.held.get(1n)?.written.length === 2);
  first.store.held.get(1n)?.give(world.manifest);
  await eventually('all', () => {
    world.block();
    return isWhole(second);
  });
  expect(second.store.held.get(1n)?.written.length).toBe(6);
});

test('who gave some of it is told where its user hands over the rest', async () => {
  world = new World(6);
  const [first, second] = [await world.peer('first'), await world.peer('second')];
  first.store.give(world.manifest, [0, 1]);
  world.block();
  await eventually('two pieces', () => second.store.held.get(1n)?.written.length === 2);
  second.store.held.get(1n)?.give(world.manifest);
  await eventually('all', () => {
    world.block();
    return second.taken.size === 1;
  });
  expect(second.taken.get(1n)).toEqual(new Map([[first.provider, 2]]));
});

test('what the disk has lost during the exchange is taken anew', async () => {
  world = new World(3);
  const [first, second] = [await world.peer('first'), await world.peer('second')];
  first.store.give(world.manifest);
  world.block();
  await eventually('all', () => isWhole(second));
  second.store.give(world.manifest, [0], ['common', 'web']);
  await eventually('all again', () => {
    world.block();
    return isWhole(second);
  });
  expect(second.store.held.get(1n)?.written.length).toBe(2);
  second.store.held.delete(1n);
  await eventually('from nothing', () => {
    world.block();
    return isWhole(second);
  });
  expect(first.exchange.figures().dropped).toEqual({});
});

test('a provider whose lease has ended hands on what it holds for the grace, and asks for nothing', async () => {
  world = new World(3);
  const lease = { standing: 'closed', closedHeight: 90n } as const;
  const old = await world.peer('old', { infrastructures: [], lease });
  const fresh = await world.peer('fresh');
  old.store.give(world.manifest);
  world.block();
  await eventually('it is handed on', () => isWhole(fresh));
  expect([...(fresh.store.held.get(1n)?.keys.keys() ?? [])].sort()).toEqual(['common', 'web']);
});

test('a holder of the revision before gives that to who asks for it, and takes the new one', async () => {
  world = new World(3);
  const [old, fresh] = world.manifests as [TestManifest, TestManifest];
  // One sees the chain of a moment ago.
  let lateRevision = 1;
  const deployment: World['facts']['deployment'] = async (of, dseq) => {
    const view = await world.facts.deployment(of, dseq);
    const { version } = world.manifests[lateRevision - 1] as TestManifest;
    return view && { ...view, revision: BigInt(lateRevision), version };
  };
  world.revision = 2n;
  const holder = await world.peer('holder');
  const late = await world.peer('late', { change: { facts: { ...world.facts, deployment } } });
  holder.store.give(old);
  world.block();
  await eventually('the revision that both name', () => isWhole(late, 1n));
  expect(holder.store.held.has(2n)).toBe(false);
  lateRevision = 2;
  late.store.give(fresh);
  late.exchange.changed(owner, 7n);
  await eventually('the new one', () => {
    world.block();
    return isWhole(holder, 2n);
  });
  expect([late.exchange.figures().dropped, holder.exchange.figures().dropped]).toEqual([{}, {}]);
});

test('who holds another revision than the one before is asked for nothing of it', async () => {
  world = new World(3);
  world.revision = 2n;
  const [holder, taker] = [await world.peer('holder'), await world.peer('taker')];
  holder.store.give(world.manifests[0] as TestManifest);
  world.block();
  await eventually('they are connected', () => taker.exchange.figures().connections === 1);
  expect([...taker.store.held.keys()]).toEqual([]);
  expect(taker.exchange.figures().receivedBytes).toBe(0);
});
