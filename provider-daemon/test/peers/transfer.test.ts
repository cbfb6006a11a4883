import { eventually } from '../network/support/eventually.ts';
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
  expect(second.exchange.manifestFrom('mu1owner00000000', 7n, 1n)).toEqual([first.provider]);
  expect(second.log).toContainEqual(
    `took the manifest of mu1owner00000000/7 revision 1 from ${first.provider} (12 pieces)`,
  );
  const { length } = world.manifest.pieces.reduce((all, { length }) => ({ length: all.length + length }), {
    length: 0,
  });
  expect(first.exchange.figures()).toMatchObject({ sentBytes: length, connections: 1, downloads: 0 });
  expect(second.exchange.figures()).toMatchObject({ receivedBytes: length, taken: 1, dropped: {}, refused: {} });
});
