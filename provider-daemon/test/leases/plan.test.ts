/** Graphics processors and files of a lease: from the manifest to the containers, processors within what was bought. */
import { describe, expect, test } from '@jest/globals';
import type { ManifestHead, ManifestWorkload } from '@mu/client/manifest/head';
import { Lease } from '@mu/proto/market';
import { checkRoom, planOf } from '../../src/leases/plan.ts';
import type { ContainerSpec } from '../../src/workloads/driver.ts';

type Gpu = NonNullable<ContainerSpec['gpu']>;

const a100: Gpu = { count: 1, vendor: 'nvidia', model: 'a100' };

function workload(name: string, gpu?: Gpu, count = 1): ManifestWorkload {
  return {
    type: 'Workload',
    name,
    image: { registry: `web@sha256:${'a'.repeat(64)}` },
    compute: { cpu: 100, memory: 1 << 26, disk: 0, ...(gpu === undefined ? {} : { gpu }) },
    count,
    connections: [],
    egress: 'none',
    volumes: [],
  };
}

function containersOf(...services: ManifestWorkload[]): readonly ContainerSpec[] {
  const head = { workloads: [{ infrastructure: 'main', services }] } as unknown as ManifestHead;
  const place = { lease: 7n, owner: 'mu1owner', dseq: 1n, infrastructure: 'main' };
  const fileOf = (): never => {
    throw new Error('no files');
  };
  return planOf({ place, head, secrets: { env: {} }, fileOf }).containers;
}

const lease = (...groups: readonly (readonly [Gpu | undefined, number])[]) =>
  Lease.fromPartial({
    resources: groups.map(([gpu, count]) => ({
      compute: { cpu: 10_000, memory: 1n << 32n, disk: 1n << 32n, ...(gpu === undefined ? {} : { gpu }) },
      count,
    })),
  });

test('a container asks for what its manifest says, and for none where it says nothing', () => {
  const [one, two] = containersOf(workload('one', a100), workload('two'));
  expect(one?.gpu).toEqual(a100);
  expect('gpu' in two!).toBe(false);
});

test('a container mounts the files that its manifest names, from where they are held', () => {
  const mounting = { ...workload('one'), files: [{ file: 'files/a', path: '/models/a' }] };
  const head = { workloads: [{ infrastructure: 'main', services: [mounting, workload('two')] }] } as unknown;
  const [one, two] = planOf({
    place: { lease: 7n, owner: 'mu1owner', dseq: 1n, infrastructure: 'main' },
    head: head as ManifestHead,
    secrets: { env: {} },
    fileOf: (path) => ({ path: `/held/${path}`, sha256: 'ab' }),
  }).containers;
  expect(one?.files).toEqual([{ path: '/models/a', source: '/held/files/a', sha256: 'ab' }]);
  expect('files' in two!).toBe(false);
});

describe('a lease has room', () => {
  test.each<[string, ContainerSpec['gpu'], number, [Gpu | undefined, number][]]>([
    ['for as many as it bought', a100, 2, [[a100, 2]]],
    [
      'of several groups',
      a100,
      2,
      [
        [a100, 1],
        [undefined, 3],
        [a100, 1],
      ],
    ],
    ['for those of one replica in several instances', a100, 2, [[{ ...a100, count: 2 }, 1]]],
    [
      'for any, where any was bought',
      { count: 1, vendor: '', model: '' },
      1,
      [[{ count: 1, vendor: '', model: '' }, 1]],
    ],
    ['however the name is written', { ...a100, model: 'A100' }, 1, [[a100, 1]]],
  ])('%s', (_what, gpu, count, groups) => {
    expect(() => checkRoom(containersOf(workload('w', gpu, count)), lease(...groups))).not.toThrow();
  });

  test.each<[string, ContainerSpec['gpu'], number, [Gpu | undefined, number][], string]>([
    ['for one more', a100, 3, [[a100, 2]], 'take 3 of gpu nvidia/a100, the lease has 2'],
    ['where none was bought', a100, 1, [[undefined, 2]], 'take 1 of gpu nvidia/a100, the lease has 0'],
    ['for a model, where any was bought', a100, 1, [[{ ...a100, model: '' }, 1]], 'the lease has 0'],
    [
      'for any, where a model was bought',
      { ...a100, model: '' },
      1,
      [[a100, 1]],
      'take 1 of gpu nvidia/any model, the lease has 0',
    ],
    [
      'for two alike out of two replicas',
      { ...a100, count: 2 },
      1,
      [[a100, 2]],
      'an instance of w takes 2 of gpu nvidia/a100, a replica of the lease has 1',
    ],
  ])('not %s', (_what, gpu, count, groups, message) => {
    expect(() => checkRoom(containersOf(workload('w', gpu, count)), lease(...groups))).toThrow(message);
  });

  test('not for two workloads that are too much together', () => {
    const both = containersOf(workload('one', a100), workload('two', a100));
    expect(() => checkRoom(both, lease([a100, 1]))).toThrow('take 2 of gpu nvidia/a100, the lease has 1');
  });
});
