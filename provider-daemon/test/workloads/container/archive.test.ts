/** Archives of images: what is taken from them, and what is refused before the engine sees it. */
import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { extract } from 'tar-stream';
import { type ArchivePlan, dockerArchive, planArchive } from '../../../src/workloads/container/archive.ts';
import { archiveLimits } from '../../../src/workloads/container/archive-scan.ts';
import { blobOf, tarOf, types, write } from '../../support/images.ts';
import { errorOf } from '../driver-compliance.ts';

const limits = { maxBytes: 8 * 1024 * 1024, maxUnpackedBytes: 1024 * 1024, architecture: 'amd64' };
const config = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
const manifest = (change: object = {}) =>
  JSON.stringify([{ Config: 'c.json', RepoTags: ['nginx:latest'], Layers: ['l/layer.tar'], ...change }]);
const layer = { name: 'l/layer.tar', content: 'layer' };
const plain = [layer, { name: 'c.json', content: config }, { name: 'manifest.json', content: manifest() }];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mu-archive-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;

async function sourceOf(entries: Parameters<typeof tarOf>[0]) {
  files += 1;
  const path = join(folder, `${files}.tar`);
  await write(path, entries);
  return { path, name: 'app.tar' };
}

const planOf = async (entries: Parameters<typeof tarOf>[0]): Promise<ArchivePlan> =>
  planArchive(await sourceOf(entries), limits);

/** Names and contents of what the engine would get. */
async function sent(entries: Parameters<typeof tarOf>[0]): Promise<Record<string, string>> {
  const source = await sourceOf(entries);
  const tar = extract();
  dockerArchive(source, await planArchive(source, limits), 'mu/x:y').pipe(tar);
  const found: Record<string, string> = {};
  for await (const entry of tar) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    found[`${entry.header.type} ${entry.header.name}`] = Buffer.concat(chunks).toString();
  }
  return found;
}

describe('archives of images', () => {
  test('the engine gets the image’s own parts, under our name alone', async () => {
    const got = await sent([
      ...plain,
      { name: 'repositories', content: '{"nginx":{}}' },
      { name: 'other/layer.tar', content: 'not of this image' },
      { name: 'l/link', link: '../c.json' },
    ]);
    expect(Object.keys(got)).toEqual(['file l/layer.tar', 'file c.json', 'file manifest.json']);
    expect(JSON.parse(got['file manifest.json']!)).toEqual([
      { Config: 'c.json', RepoTags: ['mu/x:y'], Layers: ['l/layer.tar'] },
    ]);
    expect(got['file l/layer.tar']).toBe('layer');
  });

  test('an OCI layout gets the manifest.json that it lacks, through nested indexes', async () => {
    const [configBlob, layerBlob] = [blobOf(Buffer.from(config)), blobOf(gzipSync('layer'))];
    const image = blobOf(Buffer.from(JSON.stringify({ config: configBlob, layers: [{ digest: layerBlob.digest }] })));
    const inner = blobOf(
      Buffer.from(
        JSON.stringify({
          manifests: [
            { digest: `sha256:${'0'.repeat(64)}`, platform: { os: 'linux', architecture: 'arm64' } },
            { digest: image.digest, platform: { os: 'linux', architecture: 'amd64' } },
          ],
        }),
      ),
    );
    const at = ({ digest }: { digest: string }) => `blobs/${digest.replace(':', '/')}`;
    const got = await sent([
      {
        name: './index.json',
        content: JSON.stringify({ mediaType: types.index, manifests: [{ digest: inner.digest }] }),
      },
      ...[inner, image, configBlob, layerBlob].map((blob) => ({ name: `./${at(blob)}`, content: blob.bytes })),
    ]);
    expect(JSON.parse(got['file manifest.json']!)).toEqual([
      { Config: at(configBlob), RepoTags: ['mu/x:y'], Layers: [at(layerBlob)] },
    ]);
    expect(Object.keys(got).sort()).toEqual(
      [`file ${at(configBlob)}`, `file ${at(layerBlob)}`, 'file manifest.json'].sort(),
    );
  });

  test('an archive that is compressed itself is read too, and a layer that is a link to another', async () => {
    const entries = [
      ...plain.slice(0, 2),
      { name: 'l2/layer.tar', link: '../l/layer.tar' },
      { name: 'manifest.json', content: manifest({ Layers: ['l/layer.tar', 'l2/layer.tar'] }) },
    ];
    const path = join(folder, 'whole.tar.gz');
    writeFileSync(path, gzipSync(await tarOf(entries)));
    const plan = await planArchive({ path, name: 'app.tar' }, limits);
    expect(plan).toEqual({ config: 'c.json', layers: ['l/layer.tar', 'l/layer.tar'], unpackedBytes: 10 });
  });

  test('sizes count as they are unpacked', async () => {
    const zeros = gzipSync(Buffer.alloc(1024 * 1024 - 1000));
    const plan = await planOf([{ name: 'l/layer.tar', content: zeros }, ...plain.slice(1)]);
    expect(plan.unpackedBytes).toBe(1024 * 1024 - 1000);
    const more = gzipSync(Buffer.alloc(1024 * 1024 + 1));
    const error = await errorOf(planOf([{ name: 'l/layer.tar', content: more }, ...plain.slice(1)]));
    expect(error.message).toContain('unpacked it is larger than this provider allows');
    // Nor in many parts, nor where the archive itself is compressed.
    const parts = Array.from({ length: 20 }, (_, at) => ({ name: `l${at}`, content: gzipSync(Buffer.alloc(100_000)) }));
    expect((await errorOf(planOf([...parts, ...plain]))).message).toContain('unpacked it is larger');
    const path = join(folder, 'bomb.tar.gz');
    writeFileSync(
      path,
      gzipSync(await tarOf([{ name: 'l/layer.tar', content: Buffer.alloc(40 * 1024 * 1024) }, ...plain.slice(1)])),
    );
    expect((await errorOf(planArchive({ path, name: 'app.tar' }, limits))).message).toContain('unpacked it is larger');
  });

  test.each<[string, Parameters<typeof tarOf>[0], RegExp]>([
    ['a name above it', [...plain, { name: '../../etc/passwd', content: 'x' }], /outside of it/],
    [
      'a layer above it',
      [...plain.slice(0, 2), { name: 'manifest.json', content: manifest({ Layers: ['../../etc/passwd'] }) }],
      /outside of it/,
    ],
    [
      'a configuration at the root',
      [...plain.slice(0, 2), { name: 'manifest.json', content: manifest({ Config: '/etc/passwd' }) }],
      /outside of it/,
    ],
    ['a link above it', [...plain, { name: 'l/link', link: '../../../etc/shadow' }], /outside of it/],
    ['a link to the root', [...plain, { name: 'l/link', link: '/etc/shadow' }], /outside of it/],
    ['a hard link above it', [...plain, { name: 'l/hard', link: '../etc/shadow', type: 'link' }], /outside of it/],
    ['an entry twice', [...plain, layer], /has l\/layer\.tar twice/],
    ['a missing layer', plain.slice(1), /lacks l\/layer\.tar/],
    ['no manifest', plain.slice(0, 2), /has no index\.json: neither an OCI layout nor made by docker save/],
    [
      'two images',
      [...plain.slice(0, 2), { name: 'manifest.json', content: JSON.stringify([{}, {}]) }],
      /exactly one image/,
    ],
    [
      'no layers',
      [...plain.slice(0, 2), { name: 'manifest.json', content: '[{"Config":"c.json"}]' }],
      /without Config or Layers/,
    ],
    ['no JSON', [...plain.slice(0, 2), { name: 'manifest.json', content: '[{' }], /is not JSON/],
    [
      'another machine',
      [layer, { name: 'c.json', content: config.replace('amd64', 's390x') }, plain[2]!],
      /is for linux\/s390x, this is linux\/amd64/,
    ],
    [
      'another system',
      [layer, { name: 'c.json', content: config.replace('linux', 'windows') }, plain[2]!],
      /is for windows\/amd64/,
    ],
    [
      'broken gzip',
      [{ name: 'l/layer.tar', content: Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6]) }, ...plain.slice(1)],
      /cannot be unpacked/,
    ],
    ['indexes without end', deepIndexes(), /more than 3 deep/],
    [
      'a digest that leads away',
      [{ name: 'index.json', content: JSON.stringify({ manifests: [{ digest: 'sha256:../../x' }] }) }],
      /without a digest/,
    ],
    [
      'too many entries',
      [...Array.from({ length: archiveLimits.maxEntries + 1 }, (_, at) => ({ name: `e${at}` }))],
      /more than 10000 entries/,
    ],
  ])('refused: %s', async (_, entries, message) => {
    const error = await errorOf(planOf(entries));
    expect(error.reason).toBe('image');
    expect(error.message).toMatch(message);
  });

  test('refused: no archive, a cut one, one that is not here, one above the limit', async () => {
    const path = join(folder, 'any');
    writeFileSync(path, 'x'.repeat(2000));
    expect((await errorOf(planArchive({ path, name: 'app.tar' }, limits))).reason).toBe('image');
    const whole = await sourceOf(plain);
    writeFileSync(path, (await readFile(whole.path)).subarray(0, 700));
    expect((await errorOf(planArchive({ path, name: 'app.tar' }, limits))).reason).toBe('image');
    expect((await errorOf(planArchive({ path: join(folder, 'none'), name: 'app.tar' }, limits))).reason).toBe('failed');
    const error = await errorOf(planArchive(whole, { ...limits, maxBytes: 100 }));
    expect(error.message).toMatch(/an archive of \d+ bytes, at most 100 are allowed/);
  });
});

function deepIndexes(): Parameters<typeof tarOf>[0] {
  let inner = blobOf(Buffer.from('{"layers":[]}'));
  const blobs = [];
  for (let depth = 0; depth < 4; depth++) {
    blobs.push(inner);
    inner = blobOf(Buffer.from(JSON.stringify({ manifests: [{ digest: inner.digest }] })));
  }
  return [
    { name: 'index.json', content: inner.bytes },
    ...blobs.map(({ digest, bytes }) => ({ name: `blobs/${digest.replace(':', '/')}`, content: bytes })),
  ];
}
