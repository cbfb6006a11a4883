/** Stores that come, go and change their name with a block: what is read before it, and which programs may make it. */
import { MemoryBackend } from '@mu/framework/store/memory-backend';
import { noStoreUpgrades, type StoreUpgrades } from '@mu/framework/store/store-upgrades';
import { TreeCommitStore } from '@mu/framework/store/tree-commit-store';
import { toHex, utf8 } from '@mu/lib/bytes';

const pairs = [
  [utf8('a'), utf8('1')],
  [utf8('b'), utf8('2')],
] as const;
let backend: MemoryBackend;
beforeEach(() => {
  backend = new MemoryBackend();
  const store = new TreeCommitStore(backend, ['bank', 'nft']);
  store.commit(
    1n,
    ['bank', 'nft'].flatMap((name) => pairs.map(([key, value]) => ({ store: name, key, value }))),
  );
});

const open = (names: readonly string[], upgrades?: Partial<StoreUpgrades>): TreeCommitStore =>
  new TreeCommitStore(backend, names, upgrades && { upgradesAfter: () => ({ ...noStoreUpgrades, ...upgrades }) });
const all = (store: TreeCommitStore, name: string) => [...store.store(name).iterate()];
const renamed = [{ from: 'nft', to: 'things' }];

test('a renamed store is read under its new name from the opening on, and the old one is gone with the block', () => {
  const store = open(['bank', 'things'], { renamed });
  expect(all(store, 'things')).toEqual(pairs);
  expect(() => store.store('nft')).toThrow('no such store: nft');
  store.commit(2n, [{ store: 'things', key: utf8('a'), value: utf8('9') }]);
  expect(all(store, 'things')).toEqual([[utf8('a'), utf8('9')], pairs[1]]);
  expect([...backend.flat('nft').iterate()]).toEqual([]);
  expect(store.treeSize('things')).toBe(2);
  expect(store.at(1n).store('nft').get(utf8('a'))).toEqual(utf8('1'));
});

test('a deleted store is gone with the block and not before; an added one begins empty', () => {
  const store = open(['bank', 'market'], { added: ['market'], deleted: ['nft'] });
  expect([...backend.flat('nft').iterate()]).toEqual(pairs);
  expect(all(store, 'market')).toEqual([]);
  store.commit(2n, []);
  expect([...backend.flat('nft').iterate()]).toEqual([]);
  expect([...store.changesBetween(2n, 1n)]).toEqual(pairs.map(([key, value]) => ({ store: 'nft', key, value })));
  expect([...store.changesBetween(1n, 2n)].map(({ value }) => value)).toEqual([undefined, undefined]);
});

test('a block that is asked for twice, or fails, is the same block again', () => {
  const hashes = [1, 2].map(() => {
    const store = open(['bank', 'things'], { renamed });
    expect(() => store.workingHash(2n, [{ store: 'strange', key: utf8('a'), value: utf8('1') }])).toThrow(
      'no such store',
    );
    store.workingHash(2n, []);
    return toHex(store.workingHash(2n, [{ store: 'bank', key: utf8('c'), value: utf8('3') }]));
  });
  expect(hashes[0]).toBe(hashes[1]);
});

test('the nodes of what is gone are the next pruning’s', () => {
  const orphans: number[] = [];
  const write = backend.write.bind(backend);
  backend.write = (batch) => {
    orphans.push(...batch.orphans);
    write(batch);
  };
  open(['bank', 'things'], { renamed }).commit(2n, []);
  // Two leaves and the node above them.
  expect(new Set(orphans).size).toBe(3);
});

describe('a program with other stores than the state may not commit', () => {
  const cases: [string, readonly string[], Partial<StoreUpgrades>, string][] = [
    ['one more', ['bank', 'market', 'nft'], {}, 'lacks market, which this program has'],
    ['one less', ['bank'], {}, 'has nft, which this program lacks'],
    ['another than is added', ['bank', 'market', 'nft'], { added: ['mint'] }, 'has mint, which this program lacks'],
    ['what is deleted is not there', ['bank', 'nft'], { deleted: ['old'] }, 'store old cannot be renamed or deleted'],
    ['what is added is there', ['bank', 'nft'], { added: ['nft'] }, 'store nft cannot be added: there is one'],
  ];
  test.each(cases)('%s', (_name, names, upgrades, message) => {
    expect(() => open(names, upgrades)).toThrow(message);
  });

  test('it may read', () => {
    const store = open(['bank', 'market']);
    expect(all(store, 'bank')).toEqual(pairs);
    expect(() => store.workingHash(2n, [])).toThrow('run the program that wrote it');
    expect(() => store.commit(2n, [])).toThrow('run the program that wrote it');
  });

  test('a new state takes any program', () => {
    backend = new MemoryBackend();
    expect(open(['x'], {}).commit(1n, []).height).toBe(1n);
  });
});
