/** Files that Workloads mount: where they may stand, how they are found and hashed, and how a manifest carries them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { filesFor } from '../../src/manifest/bundle.ts';
import { ManifestError } from '../../src/manifest/errors.ts';
import { bytesOf } from '../../src/manifest/file-source.ts';
import { fileEntry, hashedBytes } from '../../src/manifest/files.ts';
import { type ManifestWorkload, manifestLimits } from '../../src/manifest/head.ts';
import { parseManifest } from '../../src/manifest/parse.ts';
import { maxMountedFiles } from '../../src/stack/mount-paths.ts';
import { loadMountedFiles } from '../../src/stack/mounted-files.ts';
import { StackError } from '../../src/stack/problems.ts';
import { build } from '../manifest/fixture.ts';
import { problemsOf, read } from './sample.ts';

const folder = mkdtempSync(join(tmpdir(), 'mu-mounted-'));
afterAll(() => rmSync(folder, { recursive: true }));

const image = `web@sha256:${'a'.repeat(64)}`;
const compute = 'compute: { cpu: 1, memory: 64MiB }';
/** One Workload for each list of files. */
const stackOf = (...files: readonly string[]): string =>
  `name: A\nversion: 1\nservices:\n${files
    .map((list, i) => `  - { type: Workload, name: w${i}, container: "${image}", ${compute}, ${list} }\n`)
    .join('')}`;
const one = (source: string, path: string): string => `files: [{ source: "${source}", path: "${path}" }]`;
const numbered = (count: number): string =>
  `files: [${Array.from({ length: count }, (_, i) => `{ source: a, path: /f${i} }`).join()}]`;
const saidOf = (files: string): string =>
  problemsOf(stackOf(files))
    .map(({ message, allowed }) => `${message}; ${allowed}`)
    .join('\n');

describe('in a stack file', () => {
  test.each([
    ['beside it, below /usr, /etc, /tmp and /run too', one('models/a b.gguf', '/usr/share/a.gguf')],
    ['at the top', one('./a', '/a')],
    ['with dots in a name', one('a..b/..c', '/etc/app/a..b')],
    ['as many as there may be', numbered(maxMountedFiles)],
    ['one source at two places', 'files: [{ source: a, path: /x/a }, { source: a, path: /x/ab }]'],
  ])('a file may stand %s', (_, files) => {
    expect(saidOf(files)).toBe('');
  });

  test.each([
    ['from elsewhere', one('/etc/passwd', '/a'), 'the path of a file beside the stack file'],
    ['from above', one('../secret', '/a'), 'without ..'],
    ['from above, by a detour', one('a/../../secret', '/a'), 'without ..'],
    ['from above, at the end', one('a/..', '/a'), 'without ..'],
    ['without a source', 'files: [{ path: /a }]', '"source" is missing'],
    ['without a path', 'files: [{ source: a }]', '"path" is missing'],
    ['with an option', 'files: [{ source: a, path: /a, mode: rw }]', 'unknown key "mode"'],
    ['at a relative path', one('a', 'models/a'), 'an absolute path'],
    ['at the root', one('a', '/'), 'an absolute path'],
    ['at a path that climbs', one('a', '/models/../etc/x'), 'an absolute path'],
    ['at a path that is not normal', one('a', '/models//a'), 'an absolute path'],
    ['at a path that ends in a slash', one('a', '/models/'), 'an absolute path'],
    ['in /proc', one('a', '/proc/1/mem'), 'belongs to the system'],
    ['in /sys', one('a', '/sys/a'), 'belongs to the system'],
    ['in /dev', one('a', '/dev/shm/a'), 'belongs to the system'],
    ['in place of a folder of the system', one('a', '/etc'), 'belongs to the system'],
    ['in place of what the provider mounts', one('a', '/etc/resolv.conf'), 'belongs to the system'],
    ['at another file', 'files: [{ source: a, path: /x }, { source: b, path: /x }]', 'taken already'],
    ['below another file', 'files: [{ source: a, path: /x }, { source: b, path: /x/y }]', '"/x/y" and "/x" are nested'],
    ['above another file', 'files: [{ source: a, path: /x/y }, { source: b, path: /x }]', '"/x" and "/x/y" are nested'],
    ['in a volume', `${one('a', '/v/x')}, volumes: [{ name: v, path: /v, size: 8MiB }]`, 'nested'],
    ['above a volume', `${one('a', '/v')}, volumes: [{ name: v, path: /v/x, size: 8MiB }]`, 'nested'],
    ['at a volume', `${one('a', '/v')}, volumes: [{ name: v, path: /v, size: 8MiB }]`, 'taken already'],
    ['one too many', numbered(maxMountedFiles + 1), 'a list of 1 to 64'],
    ['none in a list', 'files: []', 'a list of 1 to 64'],
  ])('no file may stand %s', (_, files, why) => {
    expect(saidOf(files)).toContain(why);
  });

  test('a mistake is told at its place', () => {
    const [problem] = problemsOf(stackOf('files: [{ source: a, path: /proc/a }]'));
    expect(problem).toMatchObject({
      line: 4,
      column: stackOf('files: [{ source: a, path: /proc/a }]').split('\n')[3]!.indexOf('/proc') + 1,
    });
  });
});

describe('on the disk', () => {
  const load = (...files: readonly string[]) => loadMountedFiles(read(stackOf(...files)), folder);
  const problem = async (source: string): Promise<string> => {
    const error = await load(one(source, '/a')).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StackError);
    return (error as StackError).message;
  };

  test('a file is hashed as the manifest says, and read when it is sent', async () => {
    mkdirSync(join(folder, 'models'));
    const path = join(folder, 'models', 'tiny.gguf');
    writeFileSync(path, Buffer.alloc(700_000, 'model'));
    const loaded = await load(one('models/tiny.gguf', '/a'), one('./models/tiny.gguf', '/b'), '');
    const [file] = loaded.get('w0')!;
    expect(fileEntry('a', file!)).toEqual(fileEntry('a', new Uint8Array(readFileSync(path))));
    expect(Buffer.from(await bytesOf(file!.source)).equals(readFileSync(path))).toBe(true);
    expect(loaded.get('w1')![0]).toBe(file);
    expect(loaded.has('w2')).toBe(false);
  });

  test('what cannot be carried says why, at its place in the stack file', async () => {
    writeFileSync(join(folder, 'empty'), '');
    writeFileSync(join(folder, 'large'), 'x');
    truncateSync(join(folder, 'large'), manifestLimits.fileBytes + 1);
    symlinkSync('nowhere', join(folder, 'dangling'));
    expect(await problem('none')).toMatch(/^stack\.yaml:4:\d+: file "none": there is no file .*none; allowed: a path/);
    expect(await problem('dangling')).toMatch(/there is no file/);
    expect(await problem('.')).toMatch(/it is not a file/);
    expect(await problem('empty')).toMatch(/it is empty; allowed: a file of at least one byte/);
    expect(await problem('large')).toMatch(/8589934593 bytes; allowed: at most 8589934592 bytes/);
  });
});

describe('in a manifest', () => {
  const [model, words] = [hashedBytes(utf8('a model')), hashedBytes(utf8('its words'))];
  const pathOf = ({ hash }: typeof model): string => `files/${hash.merkle_root}`;
  const text = stackOf('files: [{ source: m, path: /models/m }, { source: w, path: /models/w }]', one('m', '/m'));
  const { stack } = read(text);
  const placements = [
    { infrastructure: 'main', share: 'lease' as const, services: ['w0'] },
    { infrastructure: 'spare', share: 'lease' as const, services: ['w1'] },
  ];
  const images = new Map(['w0', 'w1'].map((name) => [name, image]));
  const mounted = new Map([
    ['w0', [model, words]],
    ['w1', [model]],
  ]);
  const made = (change: object = {}) => build({ stack, placements, images, mounted, ...change });
  const refusal = (run: () => unknown): string | undefined => {
    try {
      run();
      return undefined;
    } catch (error) {
      if (error instanceof ManifestError) return `${error.code}: ${error.message}`;
      throw error;
    }
  };
  /** The head as the change leaves it, of its first Workload. */
  const changed = (change: (workload: ManifestWorkload) => unknown): Uint8Array => {
    const head = structuredClone(made().head);
    change(head.workloads[0]!.services[0] as ManifestWorkload);
    return utf8(canonicalJson(head));
  };

  /** So many mounts of a Workload's first file, each elsewhere. */
  const manyOf = ({ files }: ManifestWorkload, count: number) =>
    Array.from({ length: count }, (_, i) => ({ ...files![0]!, path: `/f${i}` }));

  test('a file is named by its content, and carried once for all that mount it', () => {
    const { head, files } = made();
    expect(head.format).toBe('mu/manifest/1');
    expect(head.workloads.map(({ services }) => (services[0] as ManifestWorkload).files)).toEqual([
      [
        { file: pathOf(model), path: '/models/m' },
        { file: pathOf(words), path: '/models/w' },
      ],
      [{ file: pathOf(model), path: '/m' }],
    ]);
    expect([...files.keys()]).toEqual([pathOf(model), pathOf(words)].sort());
    expect(filesFor(head, ['main']).map(({ path }) => path)).toEqual([pathOf(model), pathOf(words)].sort());
    expect(filesFor(head, ['spare']).map(({ path }) => path)).toEqual([pathOf(model)]);
    expect(made().head.workloads).toEqual(head.workloads);
  });

  test('a Workload without files has the head that it had before there were any', () => {
    const { head } = build({ stack: read(stackOf('')).stack, placements: placements.slice(0, 1), images });
    expect(Object.keys(head.workloads[0]!.services[0]!)).not.toContain('files');
  });

  test('one whose files were not found is not built', () => {
    expect(refusal(() => made({ mounted: new Map([['w0', [model, words]]]) }))).toMatch(/^inconsistent: .* w1 /);
    expect(refusal(() => made({ mounted: new Map([...mounted, ['w0', [model]]]) }))).toMatch(/^inconsistent: .* w0 /);
  });

  test.each<[string, (workload: ManifestWorkload) => unknown, string]>([
    [
      'a file that is not among the files',
      ({ files }) => files!.push({ file: 'files/x', path: '/x' }),
      'inconsistent: the file of',
    ],
    ['a file that nothing uses', ({ files }) => files!.pop(), 'inconsistent: a file that nothing uses'],
    ['an empty list', (one) => Object.assign(one, { files: [] }), 'schema'],
    ['too many files', (one) => Object.assign(one, { files: manyOf(one, maxMountedFiles + 1) }), 'schema'],
    ['a relative path', ({ files }) => Object.assign(files![0]!, { path: 'm' }), 'schema'],
    ['a path that climbs', ({ files }) => Object.assign(files![0]!, { path: '/../m' }), 'schema'],
    ['a source that climbs', ({ files }) => Object.assign(files![0]!, { file: '../m' }), 'schema'],
    [
      'a path of the kernel',
      ({ files }) => Object.assign(files![0]!, { path: '/proc/self/environ' }),
      'inconsistent: w0: a file at /proc/self/environ',
    ],
    [
      'a path of the provider',
      ({ files }) => Object.assign(files![0]!, { path: '/etc/hosts' }),
      'inconsistent: w0: a file at /etc/hosts',
    ],
    [
      'two files at one path',
      ({ files }) => Object.assign(files![0]!, { path: files![1]!.path }),
      'inconsistent: w0: a file at /models/w, at, below or above',
    ],
    ['a file below another', ({ files }) => Object.assign(files![0]!, { path: '/models/w/m' }), 'inconsistent: w0'],
    ['a file above another', ({ files }) => Object.assign(files![0]!, { path: '/models' }), 'inconsistent: w0'],
    [
      'a file in a volume',
      (one) => {
        one.volumes.push({ name: 'v', path: '/models', size: 1 << 20 });
        one.compute.disk = 1 << 20;
      },
      'inconsistent: w0: a file at /models/m, at, below or above /models',
    ],
  ])('a head with %s is refused', (_, change, why) => {
    expect(refusal(() => parseManifest(changed(change)))).toContain(why);
  });

  test('a head is taken with as many files as there may be', () => {
    const bytes = changed((one) => one.files!.push(...manyOf(one, maxMountedFiles - 2)));
    const { head } = parseManifest(bytes);
    expect((head.workloads[0]!.services[0] as ManifestWorkload).files).toHaveLength(maxMountedFiles);
  });
});
