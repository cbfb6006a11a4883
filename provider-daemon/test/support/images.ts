/** Small images made on the spot, as files of the forms in which images travel: `docker save` and OCI layout. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { busybox } from './docker.ts';

export interface Blob {
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface TestImage {
  readonly config: Blob;
  /** As they lie in a registry: gzip. */
  readonly layers: readonly Blob[];
  readonly manifest: Blob;
}

export interface ImageWish {
  /** Beside busybox: path → content. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
  /** Of the image’s configuration: User, Cmd, Env, Volumes, … */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
}

export const nodeArchitecture = process.arch === 'x64' ? 'amd64' : process.arch;

export const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

export function blobOf(bytes: Buffer): Blob {
  return { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes };
}

export async function tarOf(
  entries: readonly { name: string; content?: string | Buffer; link?: string; mode?: number; type?: 'link' }[],
): Promise<Buffer> {
  const archive = pack();
  for (const { name, content, link, mode, type } of entries) {
    if (link !== undefined) archive.entry({ name, type: type ?? 'symlink', linkname: link });
    else archive.entry({ name, mode: mode ?? 0o644 }, content ?? '');
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An image of busybox in one layer, and another with the wished files where there are any. */
export async function makeImage({ files, config, architecture }: ImageWish = {}): Promise<TestImage> {
  const tars = [await busyboxTar()];
  if (files !== undefined) {
    tars.push(await tarOf(Object.entries(files).map(([name, content]) => ({ name, content, mode: 0o755 }))));
  }
  const configBlob = blobOf(
    Buffer.from(
      JSON.stringify({
        architecture: architecture ?? nodeArchitecture,
        os: 'linux',
        config: { Env: ['PATH=/bin'], ...config },
        rootfs: { type: 'layers', diff_ids: tars.map((tar) => blobOf(tar).digest) },
        history: tars.map(() => ({ created_by: 'test' })),
      }),
    ),
  );
  const layers = tars.map((tar) => blobOf(gzipSync(tar, { level: 1 })));
  const manifest = blobOf(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: { mediaType: types.config, digest: configBlob.digest, size: configBlob.bytes.length },
        layers: layers.map(({ digest, bytes }) => ({ mediaType: types.layer, digest, size: bytes.length })),
      }),
    ),
  );
  return { config: configBlob, layers, manifest };
}

let ownTar: Promise<Buffer> | undefined;

function busyboxTar(): Promise<Buffer> {
  ownTar ??= busybox().then(({ bytes, commands }) =>
    tarOf([
      { name: 'bin/busybox', content: bytes, mode: 0o755 },
      ...commands.map((name) => ({ name: `bin/${name}`, link: 'busybox' })),
    ]),
  );
  return ownTar;
}

/** As `docker save` writes it. @param name what its manifest.json calls it */
export async function writeDockerArchive(image: TestImage, path: string, name = 'other/name:latest'): Promise<void> {
  const layers = image.layers.map((layer, at) => ({ name: `${at}/layer.tar`, content: layer.bytes }));
  const config = { name: `${image.config.digest.slice(7)}.json`, content: image.config.bytes };
  const manifest = [{ Config: config.name, RepoTags: [name], Layers: layers.map((layer) => layer.name) }];
  await write(path, [...layers, config, { name: 'manifest.json', content: JSON.stringify(manifest) }]);
}

/** An OCI layout, in which a tag of its own is named too. */
export async function writeOciArchive(image: TestImage, path: string, architecture = nodeArchitecture): Promise<void> {
  const index = {
    schemaVersion: 2,
    manifests: [
      {
        mediaType: types.manifest,
        digest: image.manifest.digest,
        size: image.manifest.bytes.length,
        platform: { os: 'linux', architecture },
        annotations: { 'org.opencontainers.image.ref.name': 'other/name:latest' },
      },
    ],
  };
  await write(path, [
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: JSON.stringify(index) },
    ...[image.manifest, image.config, ...image.layers].map(({ digest, bytes }) => ({
      name: `blobs/${digest.replace(':', '/')}`,
      content: bytes,
    })),
  ]);
}

export async function write(path: string, entries: Parameters<typeof tarOf>[0]): Promise<void> {
  await pipeline([await tarOf(entries)], createWriteStream(path));
}
