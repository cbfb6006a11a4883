/**
 * Image archives for the engine. Whatever the archive says about names, the image gets ours: its own `manifest.json` could
 * take the name of another image. An OCI layout gets a `manifest.json`, without which engines before 25 do not load it.
 */
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { type ArchiveContent, archiveEntries, broken, type SizeLimits, safeName, scanArchive } from './archive-scan.ts';

/** Entries of an archive that make up its image. */
export interface ArchivePlan {
  readonly config: string;
  /** From the lowest. */
  readonly layers: readonly string[];
  readonly unpackedBytes: number;
}

export interface ArchiveSource {
  readonly path: string;
  /** For messages. */
  readonly name: string;
}

/** @throws WorkloadError `image` where the archive holds no image, several, or one for another machine */
export async function planArchive(
  { path, name }: ArchiveSource,
  options: SizeLimits & { readonly architecture: string },
): Promise<ArchivePlan> {
  const content = await scanArchive(path, name, options);
  const { config, layers } = content.texts.has('manifest.json')
    ? dockerParts(content, name)
    : ociParts(content, name, options.architecture);
  const resolved = {
    config: fileOf(content, config, name),
    layers: layers.map((layer) => fileOf(content, layer, name)),
  };
  const about = parse(content, resolved.config, name) as { architecture?: unknown; os?: unknown };
  if (about.architecture !== options.architecture || (about.os ?? 'linux') !== 'linux') {
    throw broken(
      name,
      `is for ${String(about.os)}/${String(about.architecture)}, this is linux/${options.architecture}`,
    );
  }
  const unpackedBytes = resolved.layers.reduce((sum, layer) => sum + content.files.get(layer)!.unpackedBytes, 0);
  return { ...resolved, unpackedBytes };
}

/** The archive as the engine loads it, with nothing but the plan’s entries, under the name `tag`. */
export function dockerArchive({ path, name }: ArchiveSource, plan: ArchivePlan, tag: string): Readable {
  const out = pack();
  const wanted = new Set([plan.config, ...plan.layers]);
  const write = async (): Promise<void> => {
    for await (const entry of archiveEntries(path, name, Number.MAX_SAFE_INTEGER)) {
      const entryName = safeName(entry.header.name, name);
      if (entry.header.type !== 'file' || !wanted.has(entryName)) {
        entry.resume();
        continue;
      }
      const size = entry.header.size ?? 0;
      await pipeline(entry, out.entry({ name: entryName, size, mode: 0o644, type: 'file' }));
    }
    const manifest = [{ Config: plan.config, RepoTags: [tag], Layers: plan.layers }];
    out.entry({ name: 'manifest.json', mode: 0o644 }, JSON.stringify(manifest));
    out.finalize();
  };
  // tar-stream’s streams are not Node’s own; what is sent to the engine is.
  const sent = new Transform({ transform: (chunk, _encoding, next) => next(null, chunk) });
  pipeline(out, sent).catch(() => {});
  write().catch((error: Error) => {
    out.destroy(error);
    sent.destroy(error);
  });
  return sent;
}

function dockerParts(content: ArchiveContent, name: string): { config: string; layers: string[] } {
  const images = parse(content, 'manifest.json', name);
  if (!Array.isArray(images) || images.length !== 1) throw broken(name, 'must hold exactly one image');
  const { Config: config, Layers: layers } = images[0] as { Config?: unknown; Layers?: unknown };
  if (typeof config !== 'string' || !Array.isArray(layers) || layers.some((layer) => typeof layer !== 'string')) {
    throw broken(name, 'has a manifest.json without Config or Layers');
  }
  return { config, layers: layers as string[] };
}

interface Descriptor {
  readonly digest?: unknown;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
}

/** Image indexes may hold further indexes; so deep and no deeper. */
const maxDepth = 3;

function ociParts(content: ArchiveContent, name: string, architecture: string): { config: string; layers: string[] } {
  let document = parse(content, 'index.json', name) as Record<string, unknown>;
  for (let depth = 0; Array.isArray(document['manifests']); depth++) {
    if (depth === maxDepth) throw broken(name, `has indexes within indexes, more than ${maxDepth} deep`);
    document = parse(
      content,
      blobOf(chooseOne(document['manifests'], name, architecture), name),
      name,
    ) as typeof document;
  }
  const { config, layers } = document;
  if (!Array.isArray(layers)) throw broken(name, 'has a manifest without layers');
  return { config: blobOf(config, name), layers: layers.map((layer) => blobOf(layer, name)) };
}

function chooseOne(manifests: unknown[], name: string, architecture: string): Descriptor {
  const all = manifests as Descriptor[];
  const fitting = all.filter(
    ({ platform }) => platform?.architecture === architecture && (platform.os ?? 'linux') === 'linux',
  );
  const chosen = fitting.length > 0 ? fitting : all.filter(({ platform }) => platform === undefined);
  if (chosen.length !== 1) throw broken(name, `must hold exactly one image for linux/${architecture}`);
  return chosen[0]!;
}

function blobOf(descriptor: unknown, name: string): string {
  const { digest } = (descriptor ?? {}) as Descriptor;
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw broken(name, 'names a part without a digest');
  return `blobs/${digest.replace(':', '/')}`;
}

/** The file that a name means, through one link. */
function fileOf(content: ArchiveContent, wanted: string, name: string): string {
  const plain = safeName(wanted, name);
  const file = content.links.get(plain) ?? plain;
  if (!content.files.has(file)) throw broken(name, `lacks ${plain.slice(0, 100)}`);
  return file;
}

function parse(content: ArchiveContent, entry: string, name: string): unknown {
  const text = content.texts.get(entry);
  if (text === undefined) throw broken(name, `has no ${entry}: neither an OCI layout nor made by docker save`);
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw broken(name, `has a ${entry} that is not JSON`);
}
