/** Whether a file is an archive of an image: an OCI image layout, or what `docker save` writes. Read once, as a stream. */

import { Readable } from 'node:stream';
import { messageOf } from '@mu/lib/error-message';
import { extract } from 'tar-stream';
import type { FileSource } from '../manifest/file-source.ts';
import { type FileHash, RunningHash } from '../manifest/files.ts';

/** An image has few entries; a tar may have without end. */
const maxEntries = 10_000;

export type InspectedArchive = { readonly hash: FileHash } | { readonly problem: string };

/** What a manifest says of an archive, or what is wrong with it. @throws ManifestError for one that is empty or too large */
export async function inspectArchive(path: string, source: FileSource): Promise<InspectedArchive> {
  const running = new RunningHash(path, source.size);
  const problem = await imageArchiveProblem(tapped(source, (chunk) => running.update(chunk)));
  return problem === undefined ? { hash: running.done() } : { problem };
}

async function* tapped(source: FileSource, tap: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of source.chunks()) {
    tap(chunk);
    yield chunk;
  }
}

/** What is wrong with an archive, which is read to its end where nothing is. */
async function imageArchiveProblem(chunks: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const names = new Set<string>();
  const reading = extract();
  const source = Readable.from(chunks, { objectMode: false });
  source.on('error', (error) => reading.destroy(error)).pipe(reading);
  try {
    for await (const entry of reading) {
      names.add(entry.header.name.replace(/^\.\//, ''));
      if (names.size > maxEntries) return `it has more than ${maxEntries} entries`;
      entry.resume();
    }
  } catch (error) {
    return `it is no tar: ${messageOf(error)}`;
  } finally {
    source.destroy();
  }
  if (names.has('manifest.json') || (names.has('oci-layout') && names.has('index.json'))) return undefined;
  return 'it has neither index.json and oci-layout nor manifest.json';
}
