import { expect, test } from '@jest/globals';
import type { DeploymentView } from '@mu/client/deployment/follow';
import { Lease } from '@mu/proto/market';
import type { Delivery } from '../src/delivery.ts';
import type { DeploymentFollower } from '../src/follower.ts';
import { handOver, handoverText, requireWhole } from '../src/handover.ts';

const viewAt = (height: bigint, leases = 1): DeploymentView => ({
  height,
  orders: [],
  bids: [],
  leases: Array.from({ length: leases }, (_, at) => Lease.fromPartial({ number: BigInt(at), provider: `mu1${at}` })),
});

/** A follower that shows these views, and a delivery that needs the user until a height. */
function world(views: readonly DeploymentView[], doneAt: bigint) {
  const seen: bigint[] = [];
  const follower = {
    async until(reached: (view: DeploymentView) => Promise<boolean>, limit: { timeoutBlocks: bigint; since: bigint }) {
      for (const view of views) {
        if (await reached(view)) return view;
        if (view.leases.length === 0 && view.height - limit.since >= limit.timeoutBlocks) return undefined;
      }
      throw new Error('it follows on and on');
    },
  } as Pick<DeploymentFollower, 'until'> as DeploymentFollower;
  const delivery = {
    async deliver({ height }: DeploymentView) {
      seen.push(height);
      return [];
    },
    needing: ({ height }: DeploymentView) => (height >= doneAt ? [] : ['data']),
    deliveredTo: () => ['mu10'],
  } as Partial<Delivery> as Delivery;
  return { follower, delivery, seen };
}
const limit = { timeoutBlocks: 10n, since: 100n };

test('a user leaves as soon as nobody needs him', async () => {
  const { follower, delivery, seen } = world([viewAt(101n, 0), viewAt(102n), viewAt(103n)], 103n);
  const done = await handOver(follower, delivery, limit);
  expect([done?.deliveredTo, done?.missing, seen]).toEqual([['mu10'], [], [101n, 102n, 103n]]);
  expect(handoverText(done!, 17n)).toBe(
    'deployment 17: handed over to mu10; follow it with `mucli deployment status 17`',
  );
  expect(() => requireWhole(done!, 17n, 10n)).not.toThrow();
});

test('when the time is over he hears what would still need him, and how to go on', async () => {
  const { follower, delivery } = world([viewAt(105n), viewAt(110n)], 200n);
  const late = await handOver(follower, delivery, limit);
  expect(late?.missing).toEqual(['data']);
  expect(handoverText({ deliveredTo: [], missing: ['data'] }, 17n)).toMatch('nobody has taken the manifest yet');
  expect(() => requireWhole(late!, 17n, 10n)).toThrow(
    /after 10 blocks data cannot start without you.*mucli deployment send-manifest 17/,
  );
});

test('without any lease nothing was handed over', async () => {
  const { follower, delivery } = world([viewAt(105n, 0), viewAt(110n, 0)], 200n);
  expect(await handOver(follower, delivery, limit)).toBeUndefined();
});
