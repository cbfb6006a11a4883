/** Manifests that come piece by piece, from a provider that has them to one that has not. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { seeded } from '../../../client/test/manifest/fixture.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { Carried } from '../../src/manifests/carried.ts';
import { maxGivers } from '../../src/manifests/manifest-entries.ts';
import { type ManifestRecord, ManifestStore } from '../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import { counted } from '../support/surroundings.ts';
import { arriving, bodyOf, factsOf, filesOf, twoFiles } from './fixture.ts';

const { headBytes, version, sectionKeys } = twoFiles;
const { chainId, owner, dseq, revision } = factsOf(twoFiles);
const key = { owner, dseq, revision };
const expected = { ...key, chainId, version };
const pieceCount = 8;

let base: string;
let journal: Journal;
let holder: ManifestStore;
let store: ManifestStore;
let told: ManifestRecord[];
let source: Carried;

const folder = (): string => join(base, 'new');
const openStore = (keepFree?: number): ManifestStore =>
  new ManifestStore({
    folder: folder(),
    index: journal.manifests,
    random: counted().random,
    onRunnable: (record) => told.push(record),
    ...(keepFree === undefined ? {} : { keepFree }),
  });

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'mu-carried-'));
  told = [];
  journal = openJournal(join(base, 'journal'), { chainId, provider: 'mu1new', nodeId: 'n' });
  store = openStore();
  const records = new Map<string, ManifestRecord>();
  const nameOf = (of: typeof key): string => `${of.owner}/${of.dseq}/${of.revision}`;
  holder = new ManifestStore({
    folder: join(base, 'old'),
    index: {
      get: (of) => records.get(nameOf(of)),
      put: (of, record) => void records.set(nameOf(of), record),
      delete: (of) => void records.delete(nameOf(of)),
      all: () => [...records.values()],
      keys: () => [...records.keys()],
    },
    random: counted().random,
  });
  await receiveDelivery(
    arriving(bodyOf(twoFiles, { files: filesOf(twoFiles), keys: new Map([...sectionKeys]) })),
    factsOf(twoFiles),
    holder,
  );
  source = (await holder.carried(key)) as Carried;
});

afterEach(async () => {
  await journal.close();
  rmSync(base, { recursive: true });
});

/** Hands pieces over as an exchange does. */
async function take(into: Carried, pieces: Iterable<number>): Promise<void> {
  for (const piece of pieces) {
    const sent = await source.read(piece);
    if (sent === undefined || !into.verify(piece, sent)) throw new Error(`piece ${piece} is not right`);
    await into.write(piece, sent.bytes);
  }
}

const all = Array.from({ length: pieceCount }, (_, piece) => piece);
const had = (carried: Carried): number[] => [...carried.have()];
const fileAt = (name: string): string => join(folder(), journal.manifests.get(key)!.folder, name);

test('what a delivery brought can be handed on at once, each piece with its path', async () => {
  expect([...source.have()]).toEqual(all);
  const carried = await store.adopt(expected, headBytes);
  for (const piece of all) {
    const sent = (await source.read(piece))!;
    expect(carried.verify(piece, sent)).toBe(true);
    expect(sent.bytes).toHaveLength(source.pieces.bytesOf(piece));
  }
});

test('a manifest comes piece by piece in any order; what it has is handed on, and what is startable is told once', async () => {
  expect(await store.carried(key)).toBeUndefined();
  const carried = await store.adopt(expected, headBytes);
  expect([had(carried), store.list().length, store.have(key, 'main')]).toEqual([[], 1, false]);
  expect(await carried.addKeys(sectionKeys)).toBe(true);
  await take(carried, [2, 7, 0]);
  expect(had(carried)).toEqual([0, 2, 7]);
  expect(await carried.read(1)).toBeUndefined();
  // By what came, not by what the other has: a third can verify it.
  const third = await holder.carried(key);
  for (const piece of [0, 2, 7]) expect(third?.verify(piece, (await carried.read(piece))!)).toBe(true);
  expect(told).toEqual([]);
  await take(carried, [1]);
  expect(told.map(({ infrastructures }) => infrastructures)).toEqual([['main']]);
  await take(carried, all);
  expect(told.map(({ infrastructures }) => infrastructures)).toEqual([['main'], ['main', 'spare']]);
  for (const [path, bytes] of filesOf(twoFiles)) {
    expect(readFileSync((await store.load(key)!.fileOf(path)).path).equals(bytes)).toBe(true);
  }
});

test('from whom it came: by journal, each once, so many at most; nothing of one that is not held', async () => {
  store.cameFrom(key, 'mu1nobody');
  expect(store.record(key)).toBeUndefined();
  await store.adopt(expected, headBytes);
  // Nobody is named before somebody is known.
  expect(store.record(key)).not.toHaveProperty('from');
  for (const provider of ['mu1a', 'mu1b', 'mu1a']) store.cameFrom(key, provider);
  expect(openStore().record(key)?.from).toEqual(['mu1a', 'mu1b']);
  for (let at = 0; at < maxGivers; at += 1) store.cameFrom(key, `mu1more${at}`);
  expect(store.record(key)?.from).toHaveLength(maxGivers);
  // What its user adds does not make the others' gifts its own.
  const body = bodyOf(twoFiles, { files: filesOf(twoFiles), keys: new Map([...sectionKeys]) });
  expect((await receiveDelivery(arriving(body), factsOf(twoFiles), store)).from).toHaveLength(maxGivers);
  expect(holder.record(key)?.from).toEqual([]);
});

test('keys may come last; one that opens nothing is not kept, nor what came with it', async () => {
  const carried = await store.adopt(expected, headBytes);
  await take(carried, all);
  expect(told).toEqual([]);
  const wrong = new Map([...sectionKeys, ['main', seeded('wrong')(32)] as const]);
  expect(await carried.addKeys(wrong)).toBe(false);
  expect(await carried.addKeys(new Map([['nowhere', seeded('wrong')(32)]]))).toBe(false);
  expect([carried.keys.size, store.load(key)?.keys.size, told.length]).toEqual([0, 0, 0]);
  expect(await carried.addKeys(new Map([['spare', sectionKeys.get('spare')!]]))).toBe(true);
  expect(await carried.addKeys(sectionKeys)).toBe(true);
  expect(told.map(({ infrastructures }) => infrastructures)).toEqual([['spare'], ['main', 'spare']]);
  expect(new Map(openStore().load(key)!.keys)).toEqual(sectionKeys);
});

test('only what was verified is written: false pieces, wrong paths and pieces that there are not', async () => {
  const carried = await store.adopt(expected, headBytes);
  const { bytes, aunts } = (await source.read(0))!;
  const other = bytes.slice();
  other[17]! ^= 1;
  expect(carried.verify(0, { bytes: other, aunts })).toBe(false);
  expect(carried.verify(0, { bytes: bytes.subarray(1), aunts })).toBe(false);
  expect(carried.verify(0, { bytes, aunts: aunts.slice(1) })).toBe(false);
  for (const piece of [1, 3, -1, 8, 0.5]) expect(carried.verify(piece, { bytes, aunts })).toBe(false);
  await expect(carried.write(0, bytes)).rejects.toThrow('piece 0 was not verified');
  await expect(carried.write(8, bytes)).rejects.toThrow(RangeError);
  expect(had(carried)).toEqual([]);
  expect(statSync(fileAt('file-0')).blocks).toBe(0);
});

test('after a restart it is held what the disk has: what it says is verified, and what it changed is not held', async () => {
  const carried = await store.adopt(expected, headBytes);
  await carried.addKeys(sectionKeys);
  await take(carried, [0, 1, 2, 4, 5]);
  store = openStore();
  expect(had((await store.carried(key))!)).toEqual([0, 1, 2, 4, 5]);
  for (const [name, at] of [
    ['file-0', 300_000],
    ['tree-1', 3 * 32],
  ] as const) {
    const bytes = readFileSync(fileAt(name));
    bytes[at]! ^= 1;
    writeFileSync(fileAt(name), bytes);
  }
  told = [];
  store = openStore();
  const again = (await store.carried(key))!;
  // Piece 1, and the one whose path has the node: it can be handed to nobody.
  expect([had(again), store.have(key, 'main')]).toEqual([[0, 2, 4], false]);
  await take(again, all);
  expect([had(again), told.at(-1)?.infrastructures]).toEqual([all, ['main', 'spare']]);
});

test('a whole file needs no tree: it follows from the file', async () => {
  const carried = await store.adopt(expected, headBytes);
  await take(carried, all);
  writeFileSync(fileAt('tree-0'), new Uint8Array(3));
  store = openStore();
  const again = (await store.carried(key))!;
  expect(had(again)).toEqual(all);
  expect(source.verify(1, (await again.read(1))!)).toBe(true);
});

test('bits that claim what is not there are not believed, and a folder without them is looked through', async () => {
  const carried = await store.adopt(expected, headBytes);
  await take(carried, [0, 3]);
  writeFileSync(fileAt('pieces'), new Uint8Array([0xff]));
  store = openStore();
  expect(had((await store.carried(key))!)).toEqual([0, 3]);
  rmSync(fileAt('pieces'));
  store = openStore();
  expect(had((await store.carried(key))!)).toEqual([0, 3]);
});

test('a piece that the disk changed while it is held is noticed when it is read, and can come again', async () => {
  const carried = await store.adopt(expected, headBytes);
  await carried.addKeys(sectionKeys);
  await take(carried, all);
  const bytes = readFileSync(fileAt('file-0'));
  bytes[5]! ^= 1;
  writeFileSync(fileAt('file-0'), bytes);
  expect(await carried.read(0)).toBeUndefined();
  expect([had(carried), store.have(key, 'main'), store.have(key, 'spare')]).toEqual([all.slice(1), false, true]);
  told = [];
  await take(carried, [0]);
  expect(told.map(({ infrastructures }) => infrastructures)).toEqual([['main', 'spare']]);
  await expect(store.load(key)!.fileOf('functions/first.wasm')).resolves.toBeDefined();
});

test('a start finds what the disk changed, although the file was right before; only what is wrong must come again', async () => {
  const carried = await store.adopt(expected, headBytes);
  await carried.addKeys(sectionKeys);
  await take(carried, all);
  const stored = store.load(key)!;
  const before = await stored.fileOf('functions/second.wasm');
  expect(await stored.fileOf('functions/second.wasm')).toEqual(before);
  const bytes = readFileSync(before.path);
  bytes[600_000]! ^= 1;
  writeFileSync(before.path, bytes);
  await expect(stored.fileOf('functions/second.wasm')).rejects.toMatchObject({ code: 'wrong_file' });
  expect(had(carried)).toEqual([0, 1, 2, 3, 4, 6, 7]);
  await expect(stored.fileOf('functions/second.wasm')).rejects.toThrow('1 of its pieces are missing');
  await take(carried, [5]);
  expect(await stored.fileOf('functions/second.wasm')).toEqual(before);
});

test('what a user delivers joins what came from peers', async () => {
  const carried = await store.adopt(expected, headBytes);
  await take(carried, [0, 4]);
  const files = new Map([...filesOf(twoFiles)].slice(1));
  const keys = new Map([...sectionKeys]);
  const record = await receiveDelivery(arriving(bodyOf(twoFiles, { files, keys })), factsOf(twoFiles), store);
  expect([record.infrastructures, had(carried)]).toEqual([['spare'], [0, 3, 4, 5, 6, 7]]);
  // Its user has the answer; nobody else needs to be told.
  expect(told).toEqual([]);
  await take(carried, [1, 2]);
  expect(told.map(({ infrastructures }) => infrastructures)).toEqual([['main', 'spare']]);
  expect(readdirSync(folder())).toEqual([record.folder]);
});

test('another head, one of another place, and one that does not fit the disk are not taken up', async () => {
  const adopt = (change: Partial<typeof expected>, head = headBytes) => store.adopt({ ...expected, ...change }, head);
  await expect(adopt({ version: new Uint8Array(32) })).rejects.toMatchObject({ code: 'wrong_manifest' });
  await expect(adopt({ revision: 2n })).rejects.toMatchObject({ code: 'wrong_manifest' });
  await expect(adopt({ chainId: 'mu-2' })).rejects.toMatchObject({ code: 'wrong_manifest' });
  await expect(adopt({}, headBytes.subarray(1))).rejects.toMatchObject({ code: 'wrong_manifest' });
  store = openStore(2 ** 52);
  await expect(adopt({})).rejects.toMatchObject({ code: 'too_large' });
  expect([readdirSync(folder()), store.list()]).toEqual([[], []]);
});

test('taking it up twice, also at the same time, is taking it up once', async () => {
  const [one, other] = await Promise.all([store.adopt(expected, headBytes), store.adopt(expected, headBytes)]);
  expect(other).toBe(one);
  expect(readdirSync(folder())).toHaveLength(1);
});

test('what goes while it is exchanged is read and written no more', async () => {
  const carried = await store.adopt(expected, headBytes);
  await take(carried, [0]);
  const sent = (await source.read(1))!;
  expect(carried.verify(1, sent)).toBe(true);
  store.remove(key);
  await expect(carried.write(1, sent.bytes)).rejects.toThrow('not held any more');
  // A fault of nobody's: whoever sent them told no lie.
  await expect(carried.addKeys(sectionKeys)).rejects.toThrow('not held any more');
  expect(await carried.read(0)).toBeUndefined();
  expect([readdirSync(folder()), told]).toEqual([[], []]);
});

test('pieces that are being written while it goes leave nothing behind', async () => {
  for (let round = 0; round < 20; round += 1) {
    const carried = await store.adopt(expected, headBytes);
    const sent = await Promise.all(all.map((piece) => source.read(piece)));
    for (const piece of all) carried.verify(piece, sent[piece]!);
    const writes = all.map((piece) => carried.write(piece, sent[piece]!.bytes).catch(() => undefined));
    for (let turn = 0; turn < round; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    store.remove(key);
    await Promise.all(writes);
    expect([readdirSync(folder()), store.list()]).toEqual([[], []]);
  }
});

test('one that cannot be erased is still listed, with nothing to start, and goes when it is tried again', async () => {
  const carried = await store.adopt(expected, headBytes);
  await take(carried, all);
  await carried.addKeys(sectionKeys);
  store.keepUntil(key, 70n);
  // In the place of what is left of an erased one, of the same name: nothing can be moved there.
  const path = `${join(folder(), journal.manifests.get(key)!.folder)}.erased`;
  mkdirSync(path);
  writeFileSync(join(path, 'other'), '');
  expect(() => store.remove(key)).toThrow('ENOTEMPTY');
  expect(store.inGrace()).toMatchObject([{ revision: 1n, infrastructures: [], eraseAt: 70n }]);
  expect(store.have(key, 'main')).toBe(false);
  rmSync(path, { recursive: true });
  store.remove(key);
  expect([readdirSync(folder()), store.list(), store.inGrace()]).toEqual([[], [], []]);
});

test.each<[string, () => void]>([
  ['folder is gone', () => rmSync(join(folder(), journal.manifests.get(key)!.folder), { recursive: true })],
  ['head is another', () => writeFileSync(fileAt('head.json'), '{}')],
  ['keys cannot be read', () => writeFileSync(fileAt('keys.json'), '{')],
])('one whose %s comes anew, from peers or from its user', async (_what, lose) => {
  for (const anew of [
    () => store.adopt(expected, headBytes),
    () => receiveDelivery(arriving(bodyOf(twoFiles, { files: new Map() })), factsOf(twoFiles), store),
  ]) {
    await store.adopt(expected, headBytes);
    lose();
    store = openStore();
    await anew();
    await take((await store.carried(key))!, all);
    expect([store.list().length, readdirSync(folder()).length]).toEqual([1, 1]);
  }
});

test('how long it is kept after its leases is known after a restart', async () => {
  await store.adopt(expected, headBytes);
  store.keepUntil(key, 120n);
  expect(store.inGrace()).toMatchObject([{ ...key, eraseAt: 120n }]);
  store = openStore();
  expect(store.inGrace()).toMatchObject([{ ...key, eraseAt: 120n }]);
  store.keepUntil(key, undefined);
  expect([store.inGrace(), openStore().inGrace()]).toEqual([[], []]);
  store.keepUntil(key, 130n);
  store.remove(key);
  expect([store.inGrace(), store.list()]).toEqual([[], []]);
});
