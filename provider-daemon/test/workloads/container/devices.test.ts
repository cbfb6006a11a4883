/** Which devices a container gets, and that no other has them. */
import { describe, expect, test } from '@jest/globals';
import {
  chooseDevices,
  type DeviceFile,
  type DevicePool,
  Devices,
  deviceFile,
  type HandedDevices,
} from '../../../src/workloads/container/devices.ts';
import { runtimesOf } from '../../../src/workloads/container/engine-readers.ts';
import { errorOf } from '../driver-compliance.ts';

const a100: DevicePool = { vendor: 'nvidia', model: 'a100', devices: ['nvidia:0', 'nvidia:1', 'nvidia:2'] };
const mi300: DevicePool = { vendor: 'amd', model: 'mi300', devices: ['/dev/dri/renderD128+/dev/kfd', '/dev/b'] };
const pools = [mi300, a100];
const gpu = (count: number, vendor = '', model = '') => ({ count, vendor, model });

describe('the choice', () => {
  test.each([
    [gpu(1, 'amd'), [], ['/dev/dri/renderD128+/dev/kfd']],
    [gpu(1, 'amd'), ['/dev/dri/renderD128+/dev/kfd'], ['/dev/b']],
    [gpu(1, 'amd'), mi300.devices, undefined],
    // The pool with most left.
    [gpu(1), [], ['nvidia:0']],
    [gpu(1), ['nvidia:0', 'nvidia:2'], ['/dev/dri/renderD128+/dev/kfd']],
    [gpu(2, '', 'A100'), ['nvidia:1'], ['nvidia:0', 'nvidia:2']],
    // Never of two pools.
    [gpu(2), ['nvidia:0', 'nvidia:1', '/dev/b'], undefined],
    [gpu(4), [], undefined],
    [gpu(1, 'nvidia', 'mi300'), [], undefined],
    // What is held and not offered any more.
    [gpu(3, 'nvidia'), ['nvidia:7'], a100.devices],
  ] as const)('of %j while %j are held: %j', (wish, held, expected) => {
    expect(chooseDevices(pools, new Set(held), wish)).toEqual(expected);
  });
});

/** An engine that has what was made, as labels. */
function bench(files: Readonly<Record<string, DeviceFile | undefined>> = {}) {
  const containers = new Map<string, string>();
  const engine = {
    list: async (labels: readonly string[]) => {
      expect(labels).toEqual(['mu.gpus']);
      return [...containers].map(([id, devices]) => ({ id, labels: { 'mu.gpus': devices } }));
    },
  };
  const fileOf = async (path: string) => (path in files ? files[path] : ({ openTo: 'all' } as const));
  const devices = new Devices({ engine, pools, fileOf });
  /** The container is at the engine only after a while. */
  const make = (id: string) => async (handed: HandedDevices) => {
    await new Promise((resolve) => setImmediate(resolve));
    containers.set(id, handed.devices.join(','));
    return handed;
  };
  const get = (id: string, wish: ReturnType<typeof gpu> | undefined, yielding: readonly string[] = []) =>
    devices.handOut(wish, yielding, make(id));
  return { containers, devices, get };
}

describe('handing out', () => {
  test('containers that are made at the same time get different ones', async () => {
    const { get } = bench();
    const handed = await Promise.all(['a', 'b', 'c'].map((id) => get(id, gpu(1, 'nvidia'))));
    expect(handed.flatMap(({ devices }) => devices).sort()).toEqual(a100.devices);
    expect(await get('without', undefined)).toEqual({ devices: [], groups: [] });
  });

  test('where none is free it says so; where there can be none, too; one that goes leaves its own', async () => {
    const { get, containers } = bench();
    await get('a', gpu(2, 'nvidia'));
    const busy = await errorOf(get('b', gpu(2, 'nvidia', 'a100')));
    expect([busy.reason, busy.message]).toEqual([
      'busy',
      '2 graphics processors (nvidia/a100) cannot be had now: other containers hold what this provider has',
    ]);
    const never = await errorOf(get('b', gpu(1, 'intel')));
    expect([never.reason, never.message]).toEqual([
      'failed',
      'this provider does not have 1 graphics processor (intel/any model)',
    ]);
    containers.delete('a');
    expect((await get('b', gpu(2, 'nvidia'))).devices).toEqual(['nvidia:0', 'nvidia:1']);
  });

  test('a container that failed to be made holds nothing, and holds nobody up', async () => {
    const { get, devices } = bench();
    const failing = devices.handOut(gpu(3, 'nvidia'), [], () => Promise.reject(new Error('the engine is away')));
    await expect(failing).rejects.toThrow('the engine is away');
    expect((await get('a', gpu(3, 'nvidia'))).devices).toEqual(a100.devices);
  });

  test('those of a container that has ended for it are its own', async () => {
    const { get } = bench();
    await get('old', gpu(2, 'nvidia'));
    expect((await get('new', gpu(3, 'nvidia'), ['old'])).devices).toEqual(a100.devices);
  });

  test('with the groups that may open them; one that is not there is given to nobody', async () => {
    const { get } = bench({
      '/dev/dri/renderD128': { openTo: { group: 105 } },
      '/dev/kfd': { openTo: { group: 105 } },
      '/dev/b': undefined,
    });
    expect(await get('a', gpu(1, 'amd'))).toEqual({ devices: ['/dev/dri/renderD128+/dev/kfd'], groups: [105] });
    expect((await errorOf(get('b', gpu(1, 'amd')))).message).toMatch(/hold what .* has \(out of order: \/dev\/b\)$/);
  });
});

test('a device is a character device, and says who may open it', async () => {
  expect(await deviceFile('/dev/null')).toEqual({ openTo: 'all' });
  expect(await deviceFile('/dev/no-such-device')).toBeUndefined();
  expect(await deviceFile('/dev')).toBeUndefined();
  expect(await deviceFile('/etc/passwd')).toBeUndefined();
});

test.each([
  [{ Runtimes: { runc: { path: 'runc' } }, DefaultRuntime: 'runc' }, ['runc'], false],
  [
    { Runtimes: { runc: {}, nvidia: { path: 'nvidia-container-runtime' } }, DefaultRuntime: 'runc' },
    ['nvidia', 'runc'],
    false,
  ],
  [{ Runtimes: { nvidia: {} }, DefaultRuntime: 'nvidia' }, ['nvidia'], true],
  [{ Runtimes: { fast: { path: '/usr/bin/nvidia-container-runtime' } }, DefaultRuntime: 'fast' }, ['fast'], true],
  [{}, [], false],
])('the engine’s runtimes %j are %j; NVIDIA’s for all: %s', (info, runtimes, nvidiaForAll) => {
  expect(runtimesOf(info)).toEqual({ runtimes, nvidiaForAll });
});
