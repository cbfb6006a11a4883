/**
 * The user's own copy of the manifests of his deployments: needed to deliver one again when a provider is replaced. Holds
 * the keys of secrets, so only its owner may read it. Files are copied, and read when they are sent, as streams.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { utf8 } from '@mu/lib/bytes';
import type { BuiltManifest } from '../manifest/build.ts';
import { decodeKept, encodeDelivery } from '../manifest/bundle.ts';
import { type FileSource, pathSource } from '../manifest/file-source.ts';
import { verifiedChunks } from '../manifest/files.ts';
import type { ManifestFile } from '../manifest/head.ts';
import { parseManifest } from '../manifest/parse.ts';

export interface ManifestKey {
  readonly chainId: string;
  readonly owner: string;
  readonly dseq: bigint;
}

const privateFolder = { recursive: true, mode: 0o700 } as const;

/** A file that is kept here. It never changes: another revision may share it. */
class KeptFile implements FileSource {
  readonly path: string;
  readonly #entry: ManifestFile;

  constructor(path: string, entry: ManifestFile) {
    this.path = path;
    this.#entry = entry;
  }

  get size(): number {
    return this.#entry.size;
  }

  /** @throws ManifestError `wrong_file` where somebody has changed it */
  chunks(): AsyncIterable<Uint8Array> {
    return verifiedChunks(this.#entry, pathSource(this.path, this.size).chunks());
  }
}

export class ManifestFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Keeps a manifest under its revision; it is on the disk when this resolves.
   * @returns the manifest with the files that are kept, whatever becomes of those that it was built from
   * @throws ManifestError `wrong_file` where a file has changed since the manifest was built
   */
  async save(key: ManifestKey, built: BuiltManifest): Promise<BuiltManifest> {
    const folder = join(this.#folder(key), built.head.revision);
    await mkdir(folder, privateFolder);
    const files = new Map<string, FileSource>();
    for (const entry of built.head.files) {
      const kept = new KeptFile(join(folder, 'files', entry.path), entry);
      await keepFile(kept.path, entry, built.files.get(entry.path));
      files.set(entry.path, kept);
    }
    const message = encodeDelivery({
      headBytes: built.headBytes,
      keys: built.sectionKeys,
      files: built.head.files.map(({ path }) => path),
    });
    // The head comes last: without it the revision does not exist.
    await writeWhole(join(folder, 'delivery.json'), [message]);
    return { ...built, files };
  }

  /**
   * The manifest of the latest revision; undefined where none was kept. Files are checked as they are read.
   * @param most the revision that the chain has: a later one is of an update that did not come to pass
   * @throws ManifestError when the head was changed
   */
  latest(key: ManifestKey, most?: bigint): BuiltManifest | undefined {
    const revision = this.#revisions(key).find((one) => most === undefined || one <= most);
    return revision === undefined ? undefined : this.of(key, revision);
  }

  /** The manifest of a revision; undefined where it was not kept. @throws ManifestError when the head was changed */
  of(key: ManifestKey, revision: bigint): BuiltManifest | undefined {
    const folder = join(this.#folder(key), revision.toString());
    if (!existsSync(join(folder, 'delivery.json'))) return undefined;
    const { headBytes, keys } = decodeKept(readFileSync(join(folder, 'delivery.json')));
    const manifest = parseManifest(headBytes, { ...key, revision });
    const files = new Map(
      manifest.head.files.map((entry) => [entry.path, new KeptFile(join(folder, 'files', entry.path), entry)]),
    );
    return { ...manifest, files, sectionKeys: keys };
  }

  /** Notes the block at which a revision that is kept came into force. */
  async committed(key: ManifestKey, revision: bigint, height: number): Promise<void> {
    const folder = join(this.#folder(key), revision.toString());
    if (existsSync(folder)) await writeWhole(join(folder, 'height'), [utf8(`${height}\n`)]);
  }

  /** The latest revision that is known here to have been in force at a height. */
  revisionAt(key: ManifestKey, height: bigint): bigint | undefined {
    return this.#revisions(key).find((revision) => {
      const since = this.#heightOf(key, revision);
      return since !== undefined && since <= height;
    });
  }

  #heightOf(key: ManifestKey, revision: bigint): bigint | undefined {
    const file = join(this.#folder(key), revision.toString(), 'height');
    const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
    return /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
  }

  /** Those that are kept whole, the latest first. */
  #revisions(key: ManifestKey): bigint[] {
    const folder = this.#folder(key);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => /^[1-9]\d{0,18}$/.test(name) && existsSync(join(folder, name, 'delivery.json')))
      .map(BigInt)
      .sort((a, b) => (a > b ? -1 : 1));
  }

  #folder({ chainId, owner, dseq }: ManifestKey): string {
    return join(this.#root, chainId, owner, dseq.toString());
  }
}

/** A file that another revision keeps is not copied again. */
async function keepFile(path: string, entry: ManifestFile, source: FileSource | undefined): Promise<void> {
  if (source === undefined) throw new Error(`the manifest has no file ${entry.path}`);
  await mkdir(dirname(path), privateFolder);
  if (source instanceof KeptFile && (source.path === path || (await linked(source.path, path)))) return;
  await writeWhole(path, verifiedChunks(entry, source.chunks()));
}

/** Whether the file system could do it; where it cannot, the file is copied. */
async function linked(from: string, to: string): Promise<boolean> {
  await rm(to, { force: true });
  return link(from, to).then(
    () => true,
    () => false,
  );
}

/** A file of that name is there whole, and lasts, or it is as it was. */
async function writeWhole(path: string, chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[]): Promise<void> {
  const part = `${path}.part`;
  // One that was left by a run before may be shared with another revision: it is not written into.
  await rm(part, { force: true });
  const handle = await open(part, 'wx', 0o600);
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk);
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(part, { force: true });
    throw error;
  }
  await handle.close();
  await rename(part, path);
}
