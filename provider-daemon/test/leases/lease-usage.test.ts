import { expect, test } from '@jest/globals';
import type { LeaseTotals } from '../../src/data-plane/plane.ts';
import { type CountedContainers, LeaseUsage } from '../../src/leases/lease-usage.ts';

/** A data plane that tells these totals, and databases of five bytes each. */
function usageOf(told: LeaseTotals[] = []): { usage: LeaseUsage; forgotten: string[] } {
  const forgotten: string[] = [];
  const usage = new LeaseUsage({
    plane: { totals: async () => told, forget: async (lease) => void forgotten.push(lease) },
    databases: { storedBytes: () => 5n },
  });
  return { usage, forgotten };
}

/** Containers that have sent so many bytes, taken once. */
function sending(bytes: bigint): CountedContainers {
  let used = bytes;
  return {
    takeUsage() {
      const taken = [{ service: 'web', used: { invocations: 0n, megabyteMilliseconds: 0n, egressBytes: used } }];
      used = 0n;
      return taken;
    },
  };
}

const egress = (quantity: bigint) => ({ service: 'web', metric: 'egress-bytes', quantity });
const stored = (quantity: bigint) => ({ service: 'db', metric: 'database-byte-blocks', quantity });

test('stored bytes count by block, each block once, from the start on', () => {
  const { usage } = usageOf();
  const work = { containers: undefined, databases: ['db'] };
  usage.started(7n, 100n);
  expect(usage.take(7n, 110n, work)).toEqual([stored(50n)]);
  expect(usage.take(7n, 110n, work)).toEqual([stored(0n)]);
  expect(usage.take(7n, 108n, work)).toEqual([stored(0n)]);
  expect(usage.take(7n, 111n, work)).toEqual([stored(5n)]);
});

test('what containers have sent before they stopped is taken once, beside what others of the lease send', () => {
  const { usage } = usageOf();
  usage.started(7n, 100n);
  usage.stopped(7n, sending(3n));
  usage.started(7n, 101n);
  usage.stopped(7n, sending(4n));
  usage.started(7n, 102n);
  expect(usage.take(8n, 103n, undefined)).toEqual([]);
  expect(usage.take(7n, 103n, { containers: sending(5n), databases: [] })).toEqual([3n, 4n, 5n].map(egress));
  expect(usage.take(7n, 103n, undefined)).toEqual([]);
});

test('totals are as the data plane told them last, until they are forgotten', async () => {
  const { usage, forgotten } = usageOf([
    { lease: '7', totals: [{ service: 'web', metric: 'gateway-bytes', total: '10' }] },
    { lease: '8', totals: [] },
  ]);
  expect(usage.totals(7n)).toEqual([]);
  await usage.poll();
  expect(usage.totals(7n)).toEqual([{ service: 'web', metric: 'gateway-bytes', quantity: 10n }]);
  expect(usage.counted()).toEqual(['7', '8']);
  await usage.forget(7n);
  expect([usage.totals(7n), usage.counted(), forgotten]).toEqual([[], ['8'], ['7']]);
});
