import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { equalBytes } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { ManifestFolder, type ManifestKey } from '../../src/deployment/manifest-folder.ts';
import { bytesOf, bytesSource, pathSource } from '../../src/manifest/file-source.ts';
import { build, module, owner, seeded } from '../manifest/fixture.ts';

const key: ManifestKey = { chainId: 'mu-1', owner, dseq: 17n };
const path = 'functions/simple_backend.wasm';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-folder-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const fileOf = (revision: number): string => join(root, 'mu-1', owner, '17', String(revision), 'files', path);

test('a manifest is kept with its files and keys, for its owner alone, and found again', async () => {
  const folder = new ManifestFolder(root);
  const built = build();
  await folder.save(key, built);
  const found = folder.latest(key);
  expect(found?.head).toEqual(built.head);
  expect([...(found?.sectionKeys ?? [])].map(([name]) => name)).toEqual(['main', 'spare']);
  expect(equalBytes(await bytesOf(found!.files.get(path)!), module)).toBe(true);
  expect(statSync(fileOf(1)).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(root, 'mu-1', owner, '17', '1', 'files', 'functions'))).toEqual(['simple_backend.wasm']);
});

test('what was kept before deliveries named their files is found too', async () => {
  const folder = new ManifestFolder(root);
  await folder.save(key, build());
  const file = join(root, 'mu-1', owner, '17', '1', 'delivery.json');
  const { files: _named, ...before } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  writeFileSync(file, canonicalJson({ ...before, format: 'mu/delivery/1' } as never));
  const found = folder.latest(key);
  expect([...(found?.sectionKeys ?? [])].map(([name]) => name)).toEqual(['main', 'spare']);
  expect(equalBytes(await bytesOf(found!.files.get(path)!), module)).toBe(true);
});

test('the latest revision that the chain has is the one that counts', async () => {
  const folder = new ManifestFolder(root);
  await folder.save(key, build());
  await folder.save(key, build({ revision: 2n, random: seeded('second') }));
  expect([folder.latest(key)?.head.revision, folder.latest(key, 1n)?.head.revision]).toEqual(['2', '1']);
  expect(folder.latest({ ...key, dseq: 18n })).toBeUndefined();
});

test('what is kept is sent, whatever becomes of the file that it was built from', async () => {
  const own = join(root, 'module.wasm');
  writeFileSync(own, module);
  const kept = await new ManifestFolder(root).save(key, {
    ...build(),
    files: new Map([[path, pathSource(own, module.length)]]),
  });
  rmSync(own);
  expect(equalBytes(await bytesOf(kept.files.get(path)!), module)).toBe(true);
});

test('a file that has changed since the manifest was built is not kept, and the revision does not exist', async () => {
  const folder = new ManifestFolder(root);
  const other = module.with(5, module[5]! ^ 1);
  const saving = folder.save(key, { ...build(), files: new Map([[path, bytesSource(other)]]) });
  await expect(saving).rejects.toMatchObject({ code: 'wrong_file' });
  expect(folder.latest(key)).toBeUndefined();
});

test('a kept file that somebody has changed is not sent', async () => {
  const folder = new ManifestFolder(root);
  await folder.save(key, build());
  writeFileSync(fileOf(1), module.with(5, module[5]! ^ 1));
  await expect(bytesOf(folder.latest(key)!.files.get(path)!)).rejects.toMatchObject({ code: 'wrong_file' });
});

test('a file that the revision before keeps is shared, not copied, and outlives it', async () => {
  const folder = new ManifestFolder(root);
  await folder.save(key, build());
  const { files } = folder.latest(key)!;
  await folder.save(key, { ...build({ revision: 2n }), files });
  expect(statSync(fileOf(2)).ino).toBe(statSync(fileOf(1)).ino);
  // Saved once more from bytes: the other revision's file is not written into.
  await folder.save(key, build({ revision: 2n }));
  expect(statSync(fileOf(2)).ino).not.toBe(statSync(fileOf(1)).ino);
  rmSync(fileOf(1));
  expect(equalBytes(new Uint8Array(readFileSync(fileOf(2))), module)).toBe(true);
});

test('the revision that was in force at a height is known where its block was noted', async () => {
  const folder = new ManifestFolder(root);
  expect(folder.revisionAt(key, 5n)).toBeUndefined();
  await folder.save(key, build());
  await folder.save(key, build({ revision: 2n, random: seeded('second') }));
  await folder.committed(key, 1n, 10);
  await folder.committed(key, 2n, 20);
  // One that is not kept is not noted.
  await folder.committed(key, 3n, 30);
  expect([9n, 10n, 19n, 20n, 40n].map((height) => folder.revisionAt(key, height))).toEqual([undefined, 1n, 1n, 2n, 2n]);
  expect([folder.of(key, 1n)?.head.revision, folder.of(key, 3n)]).toEqual(['1', undefined]);
});
