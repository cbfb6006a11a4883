/** Archives of images: inspected and hashed in one pass, and left on the disk. */
import { createWriteStream, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, expect, test } from '@jest/globals';
import { pack } from 'tar-stream';
import { bytesOf } from '../../src/manifest/file-source.ts';
import { fileEntry, type HashedFile } from '../../src/manifest/files.ts';
import { manifestLimits } from '../../src/manifest/head.ts';
import { loadImages } from '../../src/stack/images.ts';
import { StackError } from '../../src/stack/problems.ts';
import { read } from './sample.ts';

const folder = mkdtempSync(join(tmpdir(), 'mu-images-'));
afterAll(() => rmSync(folder, { recursive: true }));

const stack = (container: string) =>
  read(`name: A
version: 1
services:
  - { type: Workload, name: web, container: "${container}", compute: { cpu: 1, memory: 64MiB } }
`);

async function archive(name: string, entries: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const packed = pack();
  for (const [path, bytes] of Object.entries(entries)) packed.entry({ name: path }, Buffer.from(bytes));
  packed.finalize();
  await pipeline(packed, createWriteStream(join(folder, name)));
  return join(folder, name);
}

const load = (container: string) =>
  loadImages(stack(container), { folder, resolve: (image) => Promise.resolve(`${image}@sha256:${'a'.repeat(64)}`) });

const problemOf = async (container: string): Promise<string> => {
  const error = await load(container).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StackError);
  return (error as StackError).problems.map(({ message, allowed }) => `${message}; ${allowed}`).join();
};

test('an archive is taken with what the manifest says of it', async () => {
  const path = await archive('web.tar', { 'manifest.json': new Uint8Array(5), 'layer.tar': new Uint8Array(700_000) });
  const image = (await load('manifest:web.tar')).get('web') as HashedFile;
  const bytes = new Uint8Array(readFileSync(path));
  expect({ path: 'a', ...image.hash }).toEqual(fileEntry('a', bytes));
  expect(Buffer.from(await bytesOf(image.source)).equals(bytes)).toBe(true);
});

test('an OCI layout is taken too, and what stands behind the end of the tar counts', async () => {
  const path = await archive('oci.tar', { './oci-layout': new Uint8Array(1), './index.json': new Uint8Array(1) });
  writeFileSync(path, new Uint8Array(585 * 512), { flag: 'a' });
  const image = (await load('manifest:oci.tar')).get('web') as HashedFile;
  expect({ path: 'a', ...image.hash }).toEqual(fileEntry('a', new Uint8Array(readFileSync(path))));
});

test('an image that its registry gives is a name with its digest', async () => {
  expect((await load('nginx:1')).get('web')).toBe(`nginx:1@sha256:${'a'.repeat(64)}`);
});

test('what is no image says why, at its place in the stack file', async () => {
  await archive('other.tar', { 'a.txt': new Uint8Array(5) });
  writeFileSync(join(folder, 'text.tar'), Buffer.alloc(4096, 'x'));
  writeFileSync(join(folder, 'empty.tar'), '');
  await archive('large.tar', { 'manifest.json': new Uint8Array(5) });
  truncateSync(join(folder, 'large.tar'), manifestLimits.fileBytes + 1);
  expect(await problemOf('manifest:none.tar')).toMatch(/there is no file .*none.tar; a path relative/);
  expect(await problemOf('manifest:other.tar')).toMatch(/neither index.json and oci-layout nor manifest.json/);
  expect(await problemOf('manifest:text.tar')).toMatch(/it is no tar/);
  expect(await problemOf('manifest:empty.tar')).toMatch(/it is empty/);
  expect(await problemOf('manifest:large.tar')).toMatch(/8589934593 bytes; at most 8589934592 bytes/);
});
