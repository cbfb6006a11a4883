/** The one module of a .tar.gz. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { extract, type Extract as TarReader } from 'tar-stream';

/** An archive's content in bytes, at most. */
const maxArchiveBytes = 256 * 1024 * 1024;
const maxEntries = 10_000;

/** An archive that cannot be used, and what would be right. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
  readonly allowed: string;

  constructor(message: string, allowed: string) {
    super(message);
    this.allowed = allowed;
  }
}

/**
 * The module of a service in an archive: the only .wasm file, else the one named `<service>.wasm`, in any folder.
 * @param archive tar, gzipped or (where a web server has unpacked it on the way) not
 * @throws ArchiveError
 */
export async function moduleInArchive(archive: Uint8Array, service: string, maxBytes: number): Promise<Uint8Array> {
  const modules = await wasmFiles(await unzip(archive), maxBytes);
  const named = modules.filter(({ path }) => path.split('/').at(-1) === `${service}.wasm`);
  const chosen = modules.length === 1 ? modules[0] : named.length === 1 ? named[0] : undefined;
  if (chosen !== undefined) return chosen.bytes;
  const found = modules.slice(0, 5).map(({ path }) => JSON.stringify(path));
  throw new ArchiveError(
    found.length === 0 ? 'the archive has no .wasm file' : `the archive has several .wasm files: ${found.join(', ')}`,
    `an archive with one .wasm file, or with one that is named ${service}.wasm`,
  );
}

async function unzip(archive: Uint8Array): Promise<Uint8Array> {
  if (archive[0] !== 0x1f || archive[1] !== 0x8b) return archive;
  try {
    return await promisify(gunzip)(archive, { maxOutputLength: maxArchiveBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ArchiveError('the archive is too large when unpacked', `at most ${maxArchiveBytes} bytes unpacked`);
    }
    throw new ArchiveError(`the archive is damaged: ${(error as Error).message}`, 'a gzipped tar archive');
  }
}

type Entry = TarReader extends AsyncIterable<infer T> ? T : never;

interface ArchivedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

async function wasmFiles(tar: Uint8Array, maxBytes: number): Promise<ArchivedFile[]> {
  const reader = extract();
  reader.end(tar);
  const files: ArchivedFile[] = [];
  let entries = 0;
  try {
    for await (const entry of reader) {
      entries += 1;
      if (entries > maxEntries) throw new ArchiveError('the archive has too many files', `at most ${maxEntries} files`);
      const file = await wasmFile(entry, maxBytes);
      if (file !== undefined) files.push(file);
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw new ArchiveError(`the archive is damaged: ${(error as Error).message}`, 'a gzipped tar archive');
  }
  return files;
}

/** An entry's content when it is a module; links are not followed. `._x.wasm` is what macOS adds to archives. */
async function wasmFile(entry: Entry, maxBytes: number): Promise<ArchivedFile | undefined> {
  const { name, size, type } = entry.header;
  const isModule = type === 'file' && /(?:^|\/)(?!\._)[^/]*\.wasm$/i.test(name);
  if (isModule && size > maxBytes) {
    throw new ArchiveError(`${JSON.stringify(name)} in the archive is too large`, `at most ${maxBytes} bytes`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry) if (isModule) chunks.push(chunk as Uint8Array);
  return isModule ? { path: name, bytes: new Uint8Array(Buffer.concat(chunks)) } : undefined;
}
