import { beforeEach, expect, test } from '@jest/globals';
import {
  type CallableWorkload,
  type FunctionSpec,
  type WorkloadDriver,
  WorkloadError,
} from '../../src/workloads/driver.ts';
import { WorkloadSet } from '../../src/workloads/workload-set.ts';
import { specOf } from './driver-compliance.ts';

/** Services that run. */
let running: Set<string>;
/** Calls that fail, like `stop web`. */
let failing: Set<string>;
let set: WorkloadSet<FunctionSpec, CallableWorkload>;

const of = (service: string, memoryBytes = 1 << 20): FunctionSpec => specOf(Uint8Array.of(1), { service, memoryBytes });

beforeEach(() => {
  [running, failing] = [new Set(), new Set()];
  const attempt = (call: string): void => {
    if (failing.has(call)) throw new WorkloadError('failed', `${call} failed`);
  };
  const driver = {
    async start(spec: FunctionSpec) {
      const { service } = spec;
      attempt(`start ${service} ${spec.memoryBytes}`);
      running.add(service);
      return {
        spec,
        async stop() {
          attempt(`stop ${service}`);
          running.delete(service);
        },
        takeUsage: () => ({ invocations: 1n, megabyteMilliseconds: 0n, egressBytes: 0n }),
      } as unknown as CallableWorkload;
    },
  } as unknown as WorkloadDriver<FunctionSpec, CallableWorkload>;
  set = new WorkloadSet(driver);
});

test('what could not be stopped is stopped by the next prune, and what it used is counted once', async () => {
  await set.apply([of('web'), of('db')]);
  failing.add('stop db');
  await expect(set.prune([of('web')])).rejects.toThrow('stop db failed');
  expect([...set.workloads().keys()]).toEqual(['web']);
  failing.clear();
  await set.prune([of('web')]);
  expect([...running]).toEqual(['web']);
  expect(set.takeUsage().map(({ service }) => service)).toEqual(['db', 'web']);
  expect(set.takeUsage().map(({ service }) => service)).toEqual(['web']);
});

test('what could not be stopped and is wished again runs on, and what it used before is counted', async () => {
  await set.apply([of('web')]);
  failing.add('stop web');
  await expect(set.prune([])).rejects.toThrow('stop web failed');
  await set.apply([of('web')]);
  await set.prune([of('web')]);
  expect([...running]).toEqual(['web']);
  expect(set.takeUsage().map(({ service }) => service)).toEqual(['web', 'web']);
});

test('of what an update has started nothing stays when it fails, also where one cannot be stopped at once', async () => {
  await set.apply([of('web')]);
  failing = new Set(['start last 1048576', 'stop new']);
  const version = [of('new'), of('other'), of('last')];
  await expect(set.apply(version)).rejects.toThrow('start last');
  expect([...running]).toEqual(['web', 'new']);
  failing.delete('stop new');
  await set.prune([of('web')]);
  expect([...running]).toEqual(['web']);
});
