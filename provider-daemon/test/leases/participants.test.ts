import { beforeEach, expect, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { Deployment } from '@mu/proto/deployment';
import { Lease, LeaseState, ManifestState, Order, type OrderId } from '@mu/proto/market';
import { Node, Provider } from '@mu/proto/provider';
import { holds, maxEnded, Participants } from '../../src/leases/participants.ts';

const owner = 'mu1owner';
const missing = (): never => {
  throw new ChainError('not found', { code: 38, notFound: true });
};

/** What the chain has, by number, and what a node lists besides, which nobody proves. */
let leases: Map<bigint, Lease>;
let listed: Lease[];
let nodes: Node[];
let listedNodes: Node[];
let participants: Participants;

const lease = (number: bigint, change: Partial<Lease> = {}): Lease =>
  Lease.fromPartial({
    ...{ number, provider: `mu1p${number}`, order: { owner, dseq: 1n, infrastructure: 0, round: 1 } },
    state: LeaseState.LEASE_STATE_ACTIVE,
    ...change,
  });

interface ListRequest {
  readonly state: LeaseState;
  readonly pagination: { readonly limit: bigint; readonly reverse: boolean };
}

beforeEach(() => {
  leases = new Map();
  listed = [];
  nodes = [];
  listedNodes = [];
  const client = {
    chainId: 'mu-1',
    deployment: {
      deployment: async ({ dseq }: { dseq: bigint }) =>
        dseq === 1n
          ? { deployment: Deployment.fromPartial({ version: new Uint8Array(32).fill(5), revision: 3n }) }
          : missing(),
    },
    market: {
      leases: async ({ state, pagination: { limit, reverse } }: ListRequest) => {
        const found = listed.filter((one) => one.state === state);
        return { leases: (reverse ? found.reverse() : found).slice(0, Number(limit)) };
      },
      lease: async ({ number }: { number: bigint }) => ({ lease: leases.get(number) ?? missing() }),
      order: async ({ infrastructure }: OrderId) => ({
        order: Order.fromPartial({ spec: { name: ['front', 'data'][infrastructure] ?? '' } }),
      }),
    },
    provider: {
      provider: async ({ owner: address }: { owner: string }) =>
        address === 'mu1p7'
          ? {
              provider: Provider.fromPartial({
                owner: address,
                hostUri: 'https://p7:7443',
                roots: [{ validFromHeight: 2n }],
              }),
            }
          : missing(),
      nodes: async () => ({ nodes: listedNodes }),
      node: async ({ nodeId }: { nodeId: string }) => ({
        node: nodes.find((one) => one.nodeId === nodeId) ?? missing(),
      }),
    },
  };
  participants = new Participants({
    settled: client as unknown as ChainClient,
    seen: async () => ({ height: 41n, timeMs: 1_000 }),
  });
});

test('those that live and the last that were closed, as their records say', async () => {
  const { LEASE_STATE_CLOSED, LEASE_STATE_OUT_OF_FUNDS, LEASE_STATE_BROKEN } = LeaseState;
  const order = { owner, dseq: 1n, infrastructure: 1, round: 2 };
  const all = [
    lease(7n, { manifestState: ManifestState.MANIFEST_STATE_RUNNING }),
    lease(8n, { state: LEASE_STATE_OUT_OF_FUNDS, order }),
    lease(9n, { state: LEASE_STATE_CLOSED, closedHeight: 30n }),
    lease(10n, { state: LEASE_STATE_BROKEN, closedHeight: 31n }),
  ];
  leases = new Map(all.map((one) => [one.number, one]));
  listed = all;
  const view = await participants.deployment(owner, 1n);
  expect(view).toMatchObject({ chainId: 'mu-1', owner, dseq: 1n, revision: 3n, version: new Uint8Array(32).fill(5) });
  const common = { closedHeight: 0n, isRunning: false };
  expect(view?.participants).toEqual([
    { ...common, lease: 7n, provider: 'mu1p7', infrastructure: 'front', standing: 'active', isRunning: true },
    { ...common, lease: 8n, provider: 'mu1p8', infrastructure: 'data', standing: 'out_of_funds' },
    { ...common, lease: 9n, provider: 'mu1p9', infrastructure: 'front', standing: 'closed', closedHeight: 30n },
  ]);
  expect(view?.participants.map(holds)).toEqual([true, true, false]);
  expect(await participants.deployment(owner, 2n)).toBeUndefined();
});

test('what a list says counts for nothing', async () => {
  const foreign = { owner, dseq: 2n, infrastructure: 0, round: 1 };
  leases = new Map([
    [7n, lease(7n, { state: LeaseState.LEASE_STATE_BROKEN })],
    [8n, lease(8n, { order: foreign })],
  ]);
  // The last one is not on the chain at all.
  listed = [lease(7n), lease(8n), lease(9n)];
  const view = await participants.deployment(owner, 1n);
  expect(view?.participants.map(({ lease: number, standing }) => [number, standing])).toEqual([[7n, 'broken']]);
});

test('of ended leases a few are looked at, the newest', async () => {
  listed = Array.from({ length: 20 }, (_, at) => lease(BigInt(at + 1), { state: LeaseState.LEASE_STATE_CLOSED }));
  leases = new Map(listed.map((one) => [one.number, one]));
  const numbers = (await participants.deployment(owner, 1n))?.participants.map((one) => one.lease) ?? [];
  expect([...numbers].sort((a, b) => Number(a - b))).toEqual(
    Array.from({ length: maxEnded }, (_, at) => BigInt(20 - maxEnded + 1 + at)),
  );
});

test('a provider with its roots and the nodes that stand', async () => {
  const node = (nodeId: string, change: Partial<Node> = {}): Node =>
    Node.fromPartial({ nodeId, publicKey: new Uint8Array(32).fill(1), validFromHeight: 1n, ...change });
  listedNodes = [node('a'), node('b', { removedHeight: 9n }), node('c'), node('d')];
  // One has been removed though the list hides it, and one is none.
  nodes = [node('a', { publicKey: new Uint8Array(32).fill(2) }), node('c', { removedHeight: 40n })];
  const found = await participants.provider('mu1p7');
  expect(found).toMatchObject({ provider: 'mu1p7', hostUri: 'https://p7:7443', roots: [{ validFromHeight: 2n }] });
  expect(
    [...(found?.nodes ?? [])].map(([id, { publicKey, removedHeight }]) => [id, publicKey[0], removedHeight]),
  ).toEqual([
    ['a', 2, 0n],
    ['c', 1, 40n],
  ]);
  expect(await participants.provider('mu1else')).toBeUndefined();
  expect(await participants.view()).toEqual({ chainId: 'mu-1', height: 41n, verifiedAtMs: 1_000 });
});
