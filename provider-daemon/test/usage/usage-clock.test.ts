import { expect, test } from '@jest/globals';
import { Lease } from '@mu/proto/market';
import { UsageClock } from '../../src/usage/usage-clock.ts';

const leases = [1n, 2n].map((number) => Lease.fromPartial({ number }));

interface World {
  readonly counted: string[];
  readonly warned: string[];
  readonly clock: UsageClock;
}

function world(trouble: { poll?: Error; count?: Error } = {}): World {
  const counted: string[] = [];
  const warned: string[] = [];
  const clock = new UsageClock({
    poll() {
      counted.push('polled');
      return trouble.poll === undefined ? Promise.resolve() : Promise.reject(trouble.poll);
    },
    leases: () => leases,
    usage: {
      count({ number }, height) {
        if (trouble.count !== undefined) throw trouble.count;
        counted.push(`${number} at ${height}`);
      },
    },
    height: () => 7n,
    log: { warn: (of: object) => warned.push((of as { reason: string }).reason) },
  });
  return { counted, warned, clock };
}

test('a count asks who counts first, then brings each lease to the disk, at the last block', async () => {
  const { counted, warned, clock } = world();
  await clock.count();
  expect(counted).toEqual(['polled', '1 at 7', '2 at 7']);
  expect(warned).toEqual([]);
});

test.each([{ poll: new Error('the data plane is away') }, { count: new Error('no space left') }])(
  'trouble is told, and ends nothing: $poll$count',
  async (trouble) => {
    const { counted, warned, clock } = world(trouble);
    await clock.count();
    expect(counted).toEqual(['polled']);
    expect(warned).toEqual([(trouble.poll ?? trouble.count)?.message]);
  },
);
