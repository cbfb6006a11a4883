/** Trusted stores: the same in memory and on the disk; the one on the disk survives damage and other programs. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileTrustedStore } from '../../src/light/file-store.ts';
import { encodeLightBlock } from '../../src/light/light-block.ts';
import {
  heightAfter,
  heightBefore,
  heightsToPrune,
  MemoryTrustedStore,
  type TrustedStore,
} from '../../src/light/trusted-store.ts';
import { chainOf } from './support.ts';
import { vectors } from './vectors.ts';

const chain = chainOf('the same validators');
const block = (height: number) => {
  const found = chain.find(({ header }) => header.height === BigInt(height));
  if (found === undefined) throw new Error(`no block ${height}`);
  return found;
};
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-store-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.each([
  ['memory', () => new MemoryTrustedStore()],
  ['files', () => new FileTrustedStore(join(folder, 'light'), vectors.chainId)],
] as [string, () => TrustedStore][])('%s', (_name, make) => {
  test('blocks come back as they were, and heights in order', async () => {
    const store = make();
    await store.open('root');
    for (const height of [9, 3, 30]) await store.save(block(height));
    await store.save(block(9));
    expect(store.heights()).toEqual([3n, 9n, 30n]);
    const found = await store.at(9n);
    expect(found === undefined ? undefined : Buffer.from(encodeLightBlock(found))).toEqual(
      Buffer.from(encodeLightBlock(block(9))),
    );
    expect(await store.at(10n)).toBeUndefined();
    expect(heightBefore(store, 9n)).toBe(3n);
    expect(heightBefore(store, 3n)).toBeUndefined();
    expect(heightAfter(store, 9n)).toBe(30n);
    expect(heightAfter(store, 30n)).toBeUndefined();
  });

  test('pruning keeps the first and the newest', async () => {
    const store = make();
    await store.open('root');
    for (const height of [1, 2, 3, 4, 5, 6]) await store.save(block(height));
    await store.prune(3);
    expect(store.heights()).toEqual([1n, 5n, 6n]);
    expect(await store.at(2n)).toBeUndefined();
    await store.prune(3);
    expect(store.heights()).toEqual([1n, 5n, 6n]);
  });

  test('another root of trust empties it, the same one does not', async () => {
    const store = make();
    await store.open('root');
    await store.save(block(2));
    await store.open('root');
    expect(store.heights()).toEqual([2n]);
    await store.open('other');
    expect(store.heights()).toEqual([]);
    expect(await store.at(2n)).toBeUndefined();
  });
});

test('which heights are pruned', () => {
  const five = [1n, 2n, 3n, 4n, 5n];
  expect(heightsToPrune(five, 5)).toEqual([]);
  expect(heightsToPrune(five, 9)).toEqual([]);
  expect(heightsToPrune(five, 4)).toEqual([2n]);
  expect(heightsToPrune(five, 1)).toEqual([2n, 3n, 4n]);
  expect(heightsToPrune([], 3)).toEqual([]);
});

describe('on the disk', () => {
  const open = async (anchor = 'root'): Promise<FileTrustedStore> => {
    const store = new FileTrustedStore(folder, vectors.chainId);
    await store.open(anchor);
    return store;
  };

  test('what was saved is there after a restart, only for its owner, and nothing half-written stays', async () => {
    await (await open()).save(block(7));
    const again = await open();
    expect(again.heights()).toEqual([7n]);
    expect((await again.at(7n))?.header.height).toBe(7n);
    expect(readdirSync(folder).toSorted()).toEqual(['7.block', 'anchor']);
    expect(statSync(join(folder, '7.block')).mode & 0o777).toBe(0o600);
  });

  test('leftovers of a crash and strange files are not taken for blocks', async () => {
    await (await open()).save(block(7));
    for (const name of ['8.block.1.0.new', 'x.block', 'README']) writeFileSync(join(folder, name), 'half');
    expect((await open()).heights()).toEqual([7n]);
  });

  test.each([
    ['cut off', (bytes: Uint8Array) => bytes.subarray(0, 40)],
    ['a bit', (bytes: Uint8Array) => bytes.map((byte, at) => (at === 60 ? byte ^ 1 : byte))],
    ['empty', () => new Uint8Array()],
    ['another block', () => encodeLightBlock(block(8))],
  ] as [string, (bytes: Uint8Array) => Uint8Array][])('damage is named with what to do: %s', async (_name, damage) => {
    const store = await open();
    await store.save(block(7));
    const file = join(folder, '7.block');
    writeFileSync(file, damage(readFileSync(file)));
    await expect(store.at(7n)).rejects.toMatchObject({ kind: 'store', height: 7n });
    await expect(store.at(7n)).rejects.toThrow(/7\.block is damaged .*delete it/);
  });

  test('a disk that takes nothing keeps nobody from what was verified; what it takes again is written', async () => {
    const store = await open();
    await store.save(block(7));
    rmSync(folder, { recursive: true });
    await store.save(block(8));
    expect(store.heights()).toEqual([7n, 8n]);
    expect((await store.at(8n))?.header.height).toBe(8n);
    mkdirSync(folder);
    await store.save(block(8));
    expect(readdirSync(folder)).toEqual(['8.block']);
    expect((await store.at(8n))?.header.height).toBe(8n);
    await store.save(block(9));
    await store.prune(2);
    expect(await store.at(8n)).toBeUndefined();
  });

  test('a block that another program has pruned is simply not there', async () => {
    const store = await open();
    await store.save(block(7));
    rmSync(join(folder, '7.block'));
    expect(await store.at(7n)).toBeUndefined();
  });
});
