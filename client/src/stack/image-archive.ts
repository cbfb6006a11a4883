/** Whether bytes are an archive of an image: an OCI image layout, or what `docker save` writes. */
import { Readable } from 'node:stream';
import { extract } from 'tar-stream';

/** An image has few entries; a tar may have without end. */
const maxEntries = 10_000;

/** What is wrong with an archive; undefined where it is one image's. */
export async function imageArchiveProblem(bytes: Uint8Array): Promise<string | undefined> {
  const names = new Set<string>();
  const reading = extract();
  const source = Readable.from([bytes]);
  source.on('error', (error) => reading.destroy(error)).pipe(reading);
  try {
    for await (const entry of reading) {
      names.add(entry.header.name.replace(/^\.\//, ''));
      if (names.size > maxEntries) return `it has more than ${maxEntries} entries`;
      entry.resume();
    }
  } catch (error) {
    return `it is no tar: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (names.has('manifest.json') || (names.has('oci-layout') && names.has('index.json'))) return undefined;
  return 'it has neither index.json and oci-layout nor manifest.json';
}
