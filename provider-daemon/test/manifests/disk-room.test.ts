/** Room of a disk that is promised to manifests: for how long, and to whom it is then. */
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManifestFile, ManifestHead } from '@mu/client/manifest/head';
import { DiskRoom, promiseMs } from '../../src/manifests/disk-room.ts';
import { incomingManifest } from '../../src/manifests/incoming-manifest.ts';
import { ManifestFolder } from '../../src/manifests/manifest-folder.ts';
import { Refusal } from '../../src/manifests/refusal.ts';
import { twoFiles } from './fixture.ts';

let folder: string;
let nowMs: number;
let room: DiskRoom;
/** More than a half of what is free now: two such do not fit, whatever others write meanwhile. */
let large: number;

const open = (): DiskRoom => new DiskRoom({ folder, keepFree: 0, now: () => nowMs });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-room-'));
  nowMs = 1_000_000;
  const { bavail, bsize } = statfsSync(folder);
  large = Math.floor(0.7 * bavail * bsize);
  room = open();
});
afterEach(() => rmSync(folder, { recursive: true }));

async function reserve(name: string, size = large): Promise<ManifestFolder> {
  const file: ManifestFile = { path: name, size, piece_size: 2 ** 20, merkle_root: '00'.repeat(32) };
  return room.reserve(name, { files: [file] } as unknown as ManifestHead, [file]);
}

const refusal = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error: Refusal) => [error.code, /take \d+ bytes; on this provider’s disk \d+ are free/.test(error.message)],
  );
const tooLarge = ['too_large', true];

test('what nothing comes for is free again after the stated time, and looked for again when something comes', async () => {
  await reserve('a');
  expect(await refusal(reserve('b'))).toEqual(tooLarge);
  nowMs += promiseMs - 1;
  expect(await refusal(reserve('b'))).toEqual(tooLarge);
  nowMs += 1;
  await reserve('b');
  expect(await refusal(room.claim('a'))).toEqual(tooLarge);
  // The other one’s own is not in its way.
  await room.claim('b');
  await room.discard('b');
  await room.claim('a');
  expect(await refusal(reserve('b'))).toEqual(tooLarge);
});

test('as long as something comes the promise holds', async () => {
  await reserve('a');
  for (let round = 0; round < 5; round += 1) {
    nowMs += promiseMs - 1;
    await room.claim('a');
  }
  nowMs += promiseMs - 1;
  expect(await refusal(reserve('b'))).toEqual(tooLarge);
});

test.each([
  ['forward', 10 * 365 * 86_400_000],
  ['back', -10 * 365 * 86_400_000],
])('a clock that is set %s ends promises early, and makes none longer', async (_, ms) => {
  await reserve('a');
  nowMs += ms;
  await reserve('b');
  nowMs += promiseMs;
  await reserve('c', 1_000);
  expect(await refusal(room.claim('a'))).toBe('done');
});

test('after a restart what stands there is promised anew, for the same time', async () => {
  const files = await reserve('a');
  mkdirSync(join(folder, 'held'));
  truncateFile(join(folder, 'held', 'file-0'), large);
  await room.discard('a');
  expect(files.path).toBe(join(folder, 'a.incoming'));
  nowMs += 10 * promiseMs;
  room = open();
  expect(await refusal(reserve('b'))).toEqual(tooLarge);
  nowMs += promiseMs;
  await reserve('b');
});

test('what has come counts as itself: a file that is whole needs no room', async () => {
  const made = await reserve('a', 300_000);
  writeFileSync(made.fileAt(0), new Uint8Array(300_000).fill(7));
  nowMs += promiseMs;
  await reserve('b');
  mkdirSync(join(folder, 'full'));
  truncateFile(join(folder, 'full', 'file-0'), large);
  expect(await refusal(room.claim('a'))).toBe('done');
});

test('a delivery whose room went to others while it stood still is refused with the figures', async () => {
  const [entry] = twoFiles.head.files as [ManifestFile];
  const made = await ManifestFolder.make(join(folder, 'd.incoming'), twoFiles.head, [entry]);
  const incoming = incomingManifest({
    accepted: { manifest: twoFiles, keys: new Map(), files: [entry] },
    folder: made,
    held: new Set(),
    claim: () => Promise.reject(new Refusal('too_large', 'no room')),
    discard: () => Promise.resolve(),
    commit: () => Promise.reject(new Error('it does not come so far')),
  });
  async function* chunks() {
    yield new Uint8Array(10);
  }
  await expect(incoming.file(entry, chunks())).rejects.toMatchObject({ code: 'too_large' });
});

function truncateFile(path: string, size: number): void {
  writeFileSync(path, '');
  truncateSync(path, size);
}
