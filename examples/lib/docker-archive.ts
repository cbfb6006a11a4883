/**
 * Images for the examples, made on the spot: one layer with busybox and files of one's own, in the form in which `docker save`
 * writes them. No registry and no engine are needed. The same inputs give the same bytes.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pack } from 'tar-stream';

export interface ImageFile {
  readonly name: string;
  readonly content?: string | Buffer;
  /** 0o644 where absent. */
  readonly mode?: number;
  /** A symbolic link to there instead of a content. */
  readonly link?: string;
}

export interface ImageWish {
  /** Names under which busybox is found in /bin. */
  readonly tools: readonly string[];
  readonly files: readonly ImageFile[];
  /** Of the image's configuration: Cmd, User, Env, … */
  readonly config: Readonly<Record<string, unknown>>;
}

/** @param path of the archive; its folder is made @throws Error where busybox is missing */
export async function writeImage(path: string, { tools, files, config }: ImageWish): Promise<void> {
  const layer = await tarOf([
    { name: 'bin/busybox', content: readFileSync(busybox()), mode: 0o755 },
    ...tools.map((name) => ({ name: `bin/${name}`, link: 'busybox' })),
    ...files,
  ]);
  const image = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Env: ['PATH=/bin'], ...config },
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const manifest = [{ Config: `${sha256(image)}.json`, RepoTags: null, Layers: ['layer.tar'] }];
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    await tarOf([
      { name: `${sha256(image)}.json`, content: image },
      { name: 'layer.tar', content: layer },
      { name: 'manifest.json', content: JSON.stringify(manifest) },
    ]),
  );
}

function busybox(): string {
  const found = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (found === undefined) throw new Error('busybox is missing: apt-get install busybox-static');
  return found;
}

async function tarOf(entries: readonly ImageFile[]): Promise<Buffer> {
  const archive = pack();
  const mtime = new Date(0);
  for (const { name, content, mode, link } of entries) {
    if (link !== undefined) archive.entry({ name, mtime, type: 'symlink', linkname: link });
    else archive.entry({ name, mtime, mode: mode ?? 0o644 }, content ?? '');
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
