/**
 * Makes `build/web.tar`, an image of one layer as `docker save` writes it: busybox with two
 * pages, one that counts on a volume, and one that asks the other. No registry and no engine are needed. The same inputs give the same bytes.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from 'tar-stream';

interface Entry {
  readonly name: string;
  readonly content?: string | Buffer;
  readonly mode?: number;
  readonly link?: string;
}

/** Counts visits on its volume. */
const count = `#!/bin/sh
printf 'content-type: text/plain\\r\\n\\r\\n'
visits=$(cat /data/visits 2> /dev/null || echo 0)
echo $((visits + 1)) | tee /data/visits
`;

/** Says which instance answers, in what version, and what the counter counted. */
const visit = `#!/bin/sh
visits=$(wget -q -O - http://counter.mu.internal:8080/cgi-bin/count)
printf 'content-type: application/json\\r\\n\\r\\n'
printf '{"greeting":"%s","instance":"%s","visits":%s}\\n' "$GREETING" "$(hostname)" "\${visits:-0}"
`;

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
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

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
if (busybox === undefined) throw new Error('busybox is missing: apt-get install busybox-static');
const layer = await tarOf([
  { name: 'bin/busybox', content: readFileSync(busybox), mode: 0o755 },
  ...['sh', 'httpd', 'cat', 'hostname', 'tee', 'wget'].map((name) => ({
    name: `bin/${name}`,
    link: 'busybox',
  })),
  { name: 'www/health', content: 'ok\n' },
  { name: 'www/cgi-bin/count', content: count, mode: 0o755 },
  { name: 'www/cgi-bin/visit', content: visit, mode: 0o755 },
]);
const config = Buffer.from(
  JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['httpd', '-f', '-p', '8080', '-h', '/www'], User: '1000' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
  }),
);
const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: null, Layers: ['layer.tar'] }];
const folder = join(import.meta.dirname, '..', 'build');
mkdirSync(folder, { recursive: true });
writeFileSync(
  join(folder, 'web.tar'),
  await tarOf([
    { name: `${sha256(config)}.json`, content: config },
    { name: 'layer.tar', content: layer },
    { name: 'manifest.json', content: JSON.stringify(manifest) },
  ]),
);
