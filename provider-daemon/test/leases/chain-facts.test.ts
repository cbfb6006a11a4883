import { beforeEach, expect, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { Deployment, type DeploymentId } from '@mu/proto/deployment';
import { Lease, LeaseState, Order, type OrderId } from '@mu/proto/market';
import { ChainFacts } from '../../src/leases/chain-facts.ts';

const owner = 'mu1owner';
const provider = 'mu1provider';
const missing = (): never => {
  throw new ChainError('not found', { code: 38, notFound: true });
};

/** What the chain has, and what a list says, which nobody proves. */
let deployed: Deployment | undefined;
let leases: Lease[];
let listed: Lease[];
let orders: Map<number, string>;
/** Records that were asked for, in the order in which it was done; each answers when `prove` is called. */
let asked: string[];
let waiting: (() => void)[];
let facts: ChainFacts;

const lease = (number: bigint, change: Partial<Lease> = {}): Lease =>
  Lease.fromPartial({
    ...{ number, provider, order: { owner, dseq: 1n, infrastructure: 0, round: 1 } },
    state: LeaseState.LEASE_STATE_ACTIVE,
    ...change,
  });

beforeEach(() => {
  deployed = Deployment.fromPartial({ id: { owner, dseq: 1n }, version: new Uint8Array(32), revision: 3n });
  leases = [lease(7n)];
  listed = leases;
  orders = new Map([
    [0, 'main'],
    [1, 'other'],
  ]);
  asked = [];
  waiting = [];
  const proved = async <T>(what: string, answer: () => T): Promise<T> => {
    asked.push(what);
    await new Promise<void>((resolve) => void waiting.push(resolve));
    return answer();
  };
  const client = {
    chainId: 'mu-1',
    deployment: {
      deployment: (_: DeploymentId) => proved('deployment', () => ({ deployment: deployed ?? missing() })),
    },
    market: {
      leases: async () => ({ leases: listed }),
      lease: ({ number }: { number: bigint }) =>
        proved(`lease ${number}`, () => ({ lease: leases.find((one) => one.number === number) ?? missing() })),
      order: ({ infrastructure }: OrderId) =>
        proved(`order ${infrastructure}`, () => ({
          order: Order.fromPartial({ spec: { name: orders.get(infrastructure) ?? missing() } }),
        })),
    },
  };
  facts = new ChainFacts(client as unknown as ChainClient, provider);
});

/** Blocks come, each of which proves what was asked for before it, until the answer is there. @returns how many */
async function blocksFor<T>(answer: Promise<T>): Promise<{ blocks: number; value: T }> {
  let isDone = false;
  const settled = answer.finally(() => {
    isDone = true;
  });
  settled.catch(() => {});
  for (let blocks = 0; ; blocks += 1) {
    for (let turn = 0; turn < 20 && !isDone; turn += 1) await Promise.resolve();
    if (isDone) return { blocks, value: await settled };
    for (const prove of waiting.splice(0)) prove();
  }
}

test('all that is known of a deployment waits for one block', async () => {
  leases = [lease(7n), lease(8n, { order: { owner, dseq: 1n, infrastructure: 1, round: 1 } })];
  listed = [...leases, lease(9n, { provider: 'mu1other' }), lease(10n, { state: LeaseState.LEASE_STATE_CLOSED })];
  const { blocks, value } = await blocksFor(facts.deployment(owner, 1n));
  expect(blocks).toBe(1);
  expect(value).toEqual({
    ...{ chainId: 'mu-1', owner, dseq: 1n, version: new Uint8Array(32), revision: 3n },
    held: [
      { lease: 7n, infrastructure: 'main' },
      { lease: 8n, infrastructure: 'other' },
    ],
  });
  expect(asked).toEqual(['deployment', 'lease 7', 'order 0', 'lease 8', 'order 1']);
});

test('a list that lies is no more than a hint: what counts are the records', async () => {
  listed = [
    // Another infrastructure than the lease is of, another deployment's lease, one that is none, and one that is over.
    lease(7n, { order: { owner, dseq: 1n, infrastructure: 1, round: 1 } }),
    lease(11n),
    lease(12n),
    lease(13n),
  ];
  leases = [
    lease(7n),
    lease(11n, { order: { owner, dseq: 2n, infrastructure: 0, round: 1 } }),
    lease(13n, { state: LeaseState.LEASE_STATE_BROKEN }),
  ];
  const { value } = await blocksFor(facts.deployment(owner, 1n));
  expect(value?.held).toEqual([{ lease: 7n, infrastructure: 'main' }]);
});

test('a deployment that is not there has no facts; a lease of another provider neither', async () => {
  deployed = undefined;
  expect((await blocksFor(facts.deployment(owner, 1n))).value).toBeUndefined();
  leases = [lease(7n, { provider: 'mu1other' })];
  expect((await blocksFor(facts.lease(7n))).value).toBeUndefined();
});

test('the infrastructure of an order is asked for once', async () => {
  const first = await blocksFor(facts.lease(7n));
  expect([first.blocks, first.value]).toEqual([2, { lease: 7n, owner, dseq: 1n, infrastructure: 'main', live: true }]);
  expect(await blocksFor(facts.lease(7n))).toEqual({ blocks: 1, value: first.value });
  expect(asked).toEqual(['lease 7', 'order 0', 'lease 7']);
});
