/** What a container’s spec must be, what its images are called, and what makes another version of it. */
import { describe, expect, test } from '@jest/globals';
import { maxMountedFiles } from '@mu/client/stack/mount-paths';
import {
  containerName,
  devicesIn,
  devicesLabel,
  labelFilters,
  placeOf,
  specHashOf,
} from '../../../src/workloads/container/names.ts';
import { parseReference } from '../../../src/workloads/container/registry.ts';
import { checkSpec, limits } from '../../../src/workloads/container/spec-check.ts';
import { type ContainerSpec, WorkloadError } from '../../../src/workloads/driver.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const spec: ContainerSpec = {
  deployment: '12',
  service: 'web',
  artifact: { kind: 'image', image: { from: 'registry', reference: `registry.example/a/b@${digest}` } },
  memoryBytes: limits.minMemoryBytes,
  cpu: limits.minCpu,
  count: 1,
  ports: [],
  egress: 'none',
  volumes: [],
};
const volume = { name: 'data', path: '/data', bytes: limits.minVolumeBytes };
const file = { path: '/models/a', source: '/srv/manifests/x/file-0', sha256: 'ab'.repeat(32) };
const filesAt = (...paths: readonly string[]) => ({ files: paths.map((path) => ({ ...file, path })) });
const image = (reference: string) => ({ artifact: { kind: 'image', image: { from: 'registry', reference } } }) as const;

describe('specs', () => {
  test('the least that can be is accepted, and the most', () => {
    checkSpec(spec);
    checkSpec({
      ...spec,
      count: limits.maxInstances,
      user: `${limits.maxId}:${limits.maxId}`,
      env: { A: 'x'.repeat(limits.maxEnvBytes - 4) },
      command: ['x'.repeat(limits.maxCommandBytes - 1)],
      volumes: [volume, { ...volume, name: 'more', path: '/var/lib/more' }],
      ...filesAt(...Array.from({ length: maxMountedFiles - 1 }, (_, i) => `/models/${i}`), '/etc/app.conf'),
      health: { path: '/up?full=1', port: 65_535, intervalMs: 100 },
    });
  });

  test.each<[string, Partial<ContainerSpec>, RegExp]>([
    ['memory', { memoryBytes: limits.minMemoryBytes - 1 }, /a container needs 8 MiB/],
    ['part of a byte', { memoryBytes: 1e9 + 0.5 }, /bytes of memory/],
    ['processor', { cpu: limits.minCpu - 1 }, /the least is 10/],
    ['no instance', { count: 0 }, /0 instances/],
    ['too many instances', { count: limits.maxInstances + 1 }, /from 1 to 63/],
    ['name of the lease', { deployment: '../x' }, /cannot be a part of a container’s name/],
    ['name of the service', { service: 'a b' }, /cannot be a part of a container’s name/],
    ['root', { user: '0' }, /must be uid or uid:gid in numbers, not 0/],
    ['group root', { user: '5:0' }, /not 0/],
    ['user by name', { user: 'app' }, /in numbers/],
    ['empty command', { command: [] }, /an empty command/],
    ['zero byte', { command: ['a\0b'] }, /a zero byte/],
    ['long command', { command: ['x'.repeat(limits.maxCommandBytes)] }, /a command above 65536/],
    ['large environment', { env: { A: 'x'.repeat(limits.maxEnvBytes) } }, /an environment above 131072/],
    ['name of a variable', { env: { 'A=B': '' } }, /cannot be the name of a variable/],
    ['port', { ports: [{ port: 0, protocol: 'tcp' }] }, /port 0/],
    ['ports', { ports: Array.from({ length: 33 }, () => ({ port: 1, protocol: 'tcp' as const })) }, /33 ports/],
    ['health path', { health: { path: 'up', port: 80, intervalMs: 1000 } }, /the health path/],
    ['health path with a line', { health: { path: '/\r\nx', port: 80, intervalMs: 1000 } }, /the health path/],
    ['health port', { health: { path: '/', port: 70_000, intervalMs: 1000 } }, /port 70000/],
    ['health interval', { health: { path: '/', port: 80, intervalMs: 99 } }, /each 99 ms/],
    ['small volume', { volumes: [{ ...volume, bytes: limits.minVolumeBytes - 1 }] }, /the least is 8388608/],
    ['volume twice', { volumes: [volume, { ...volume, path: '/other' }] }, /two volumes/],
    ['path twice', { volumes: [volume, { ...volume, name: 'other' }] }, /two volumes/],
    ['name of a volume', { volumes: [{ ...volume, name: '../up' }] }, /cannot be the name of a volume/],
    ...[
      'data',
      '/',
      '/a/../etc',
      '/a//b',
      '/a:b',
      '/proc',
      '/proc/sys',
      '/sys',
      '/dev/x',
      '/etc',
      '/tmp',
      '/lib/x',
    ].map((path): [string, Partial<ContainerSpec>, RegExp] => [
      `volume at ${path}`,
      { volumes: [{ ...volume, path }] },
      /volume data/,
    ]),
    ...['data', '/', '/a/../etc', '/a//b', '/a:b', '/proc/1/mem', '/sys', '/dev/x', '/etc', '/lib/x', '/etc/hosts'].map(
      (path): [string, Partial<ContainerSpec>, RegExp] => [`file at ${path}`, filesAt(path), /a file .* at/],
    ),
    ['too many files', filesAt(...Array.from({ length: 65 }, (_, i) => `/f${i}`)), /65 files, at most 64/],
    ['two files at a path', filesAt('/a', '/a'), /a file at \/a, at, below or above \/a/],
    ['a file below another', filesAt('/a', '/a/b'), /a file at \/a\/b, at, below or above \/a/],
    ['a file in a volume', { ...filesAt('/data/x'), volumes: [volume] }, /below or above \/data/],
    ['a file of a relative place', { files: [{ ...file, source: 'x' }] }, /is not one of a manifest/],
    ['a file whose name leads elsewhere', { files: [{ ...file, sha256: '../x' }] }, /is not one of a manifest/],
    ['no processor', { gpu: { count: 0, vendor: '', model: '' } }, /0 graphics processors, it must be from 1 to 64/],
    ['processors', { gpu: { count: limits.maxGpus + 1, vendor: '', model: '' } }, /65 graphics processors/],
    ['tag without a digest', image('nginx:latest'), /has no digest/],
  ])('refused: %s', (_, change, message) => {
    const check = () => checkSpec({ ...spec, ...change });
    expect(check).toThrow(WorkloadError);
    expect(check).toThrow(message);
  });
});

describe('references of images', () => {
  test.each([
    ['nginx', 'registry-1.docker.io', 'library/nginx', 'docker.io/library/nginx'],
    ['nginx:1.27', 'registry-1.docker.io', 'library/nginx', 'docker.io/library/nginx'],
    ['team/app', 'registry-1.docker.io', 'team/app', 'docker.io/team/app'],
    ['docker.io/nginx', 'registry-1.docker.io', 'library/nginx', 'docker.io/library/nginx'],
    ['ghcr.io/a/b/c', 'ghcr.io', 'a/b/c', 'ghcr.io/a/b/c'],
    ['localhost/x', 'localhost', 'x', 'localhost/x'],
    ['127.0.0.1:5000/x:tag', '127.0.0.1:5000', 'x', '127.0.0.1:5000/x'],
  ])('%s', (name, registry, repository, canonical) => {
    expect(parseReference(`${name}@${digest}`)).toEqual({
      registry,
      repository,
      digest,
      canonical: `${canonical}@${digest}`,
    });
  });

  test.each([
    `nginx@sha256:${'ab'.repeat(31)}`,
    `nginx@md5:${'ab'.repeat(16)}`,
    `nginx@${digest}@${digest}`,
    `Nginx@${digest}`,
    `../x@${digest}`,
    `a//b@${digest}`,
    `http://a.b/c@${digest}`,
    `user:pass@host/c@${digest}`,
    `-bad.host/x@${digest}`,
    `${'a'.repeat(500)}@${digest}`,
    `@${digest}`,
  ])('refused: %s', (text) => {
    expect(() => parseReference(text)).toThrow(WorkloadError);
  });
});

describe('names', () => {
  const around = { provider: 'mu1p', image: 'i', network: 'n' };
  const hash = specHashOf(spec, around);

  test.each<[string, Partial<ContainerSpec>, boolean]>([
    ['count', { count: 5 }, true],
    ['ports', { ports: [{ port: 1, protocol: 'tcp' }] }, true],
    ['egress', { egress: 'public' }, true],
    ['health', { health: { path: '/', port: 1, intervalMs: 100 } }, true],
    ['peers', { peers: ['db'] }, true],
    ['memory', { memoryBytes: 1e9 }, false],
    ['processor', { cpu: 77 }, false],
    ['environment', { env: { A: '1' } }, false],
    ['command', { command: ['x'] }, false],
    ['user', { user: '5' }, false],
    ['volumes', { volumes: [volume] }, false],
    ['graphics processor', { gpu: { count: 1, vendor: '', model: '' } }, false],
    ['file', { files: [file] }, false],
    ['list of no files', { files: [] }, true],
  ])('another %s: the containers stay: %3$s', (_, change, stays) => {
    expect(specHashOf({ ...spec, ...change }, around) === hash).toBe(stays);
  });

  test('the order of variables says nothing; image, network and provider do', () => {
    const one = specHashOf({ ...spec, env: { A: '1', B: '2' } }, around);
    expect(specHashOf({ ...spec, env: { B: '2', A: '1' } }, around)).toBe(one);
    for (const change of [{ provider: 'x' }, { image: 'x' }, { network: 'x' }]) {
      expect(specHashOf(spec, { ...around, ...change })).not.toBe(hash);
    }
  });

  test('another number or model of graphics processors is another version, which of them it is none', () => {
    const gpu = { count: 1, vendor: 'nvidia', model: '' };
    const one = specHashOf({ ...spec, gpu }, around);
    expect(specHashOf({ ...spec, gpu: { model: '', vendor: 'nvidia', count: 1 } }, around)).toBe(one);
    for (const change of [{ count: 2 }, { vendor: 'amd' }, { model: 'a100' }]) {
      expect(specHashOf({ ...spec, gpu: { ...gpu, ...change } }, around)).not.toBe(one);
    }
  });

  test('files are another version by content and path, not by their order or where their manifest lies', () => {
    const other = { ...file, path: '/models/b', sha256: 'cd'.repeat(32) };
    const one = specHashOf({ ...spec, files: [file, other] }, around);
    expect(specHashOf({ ...spec, files: [other, { ...file, source: '/srv/manifests/y/file-3' }] }, around)).toBe(one);
    for (const change of [{ path: '/models/c' }, { sha256: 'ef'.repeat(32) }]) {
      expect(specHashOf({ ...spec, files: [{ ...file, ...change }, other] }, around)).not.toBe(one);
    }
    const swapped = [
      { ...file, path: other.path },
      { ...other, path: file.path },
    ];
    expect(specHashOf({ ...spec, files: swapped }, around)).not.toBe(one);
  });

  test('a label says which devices a container holds', () => {
    const devices = ['nvidia:0', '/dev/dri/renderD128+/dev/kfd'];
    expect(devicesIn(devicesLabel(devices))).toEqual(devices);
    expect(devicesLabel([])).toEqual({});
    expect(devicesIn({ 'mu.lease': '12' })).toEqual([]);
  });

  test('a container’s name and labels say where it belongs', () => {
    const place = { deployment: '12', service: 'web', instance: 3, specHash: 'ff' };
    expect(containerName(place)).toBe('mu-12-web-3-ff');
    expect(labelFilters('mu1p', place)).toEqual(['mu.provider=mu1p', 'mu.lease=12', 'mu.service=web']);
    const labels = {
      'mu.lease': '12',
      'mu.service': 'web',
      'mu.instance': '3',
      'mu.spec': 'ff',
      'mu.address': '10.0.0.2',
    };
    expect(placeOf(labels)).toEqual({ ...place, address: '10.0.0.2' });
    expect(placeOf({ ...labels, 'mu.instance': 'x' })).toBeUndefined();
    expect(placeOf({})).toBeUndefined();
  });
});
