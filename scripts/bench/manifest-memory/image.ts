/** An image of so many MiB as an archive, written as a stream: a small one that answers, and a layer of random bytes on it. */
import { createCipheriv, createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { extract, type Pack, pack } from 'tar-stream';

const mib = 2 ** 20;
/** A tar of one file: its header, and two blocks of zeros at the end. */
const around = 512 + 1024;

interface ImageConfig {
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
}

/**
 * @param base as `docker save` writes it, with one layer
 * @param path of what is made
 * @param size MiB of the layer
 */
export async function writeLargeImage(base: string, path: string, size: number): Promise<void> {
  const entries = await entriesOf(base);
  const [manifest] = JSON.parse(String(entries.get('manifest.json'))) as [{ Config: string; Layers: string[] }];
  const config = JSON.parse(String(entries.get(manifest.Config))) as ImageConfig;
  const hash = createHash('sha256');
  for await (const chunk of layer(size)) hash.update(chunk);
  const { type, diff_ids: ids } = config.rootfs;
  const grown = JSON.stringify({ ...config, rootfs: { type, diff_ids: [...ids, `sha256:${hash.digest('hex')}`] } });
  const layers = [...manifest.Layers, 'large.tar'];
  const archive = pack();
  const written = pipeline(archive, createWriteStream(path));
  for (const name of manifest.Layers) archive.entry({ name }, entries.get(name) as Buffer);
  await addLayer(archive, size);
  archive.entry({ name: 'config.json' }, grown);
  archive.entry({ name: 'manifest.json' }, JSON.stringify([{ Config: 'config.json', RepoTags: null, Layers: layers }]));
  archive.finalize();
  await written;
}

async function addLayer(archive: Pack, size: number): Promise<void> {
  const entry = archive.entry({ name: 'large.tar', size: around + size * mib });
  await pipeline(layer(size), entry);
}

/** The same bytes each time. */
async function* layer(size: number): AsyncGenerator<Buffer> {
  const header = pack();
  header.entry({ name: 'large', size: size * mib, mode: 0o644, mtime: new Date(0) });
  for await (const chunk of header) {
    yield chunk as Buffer;
    break;
  }
  const random = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(mib);
  for (let done = 0; done < size; done += 1) yield random.update(zeros);
  yield Buffer.alloc(1024);
}

async function entriesOf(path: string): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const reader = extract();
  createReadStream(path).pipe(reader);
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    found.set(entry.header.name, Buffer.concat(chunks));
  }
  return found;
}
