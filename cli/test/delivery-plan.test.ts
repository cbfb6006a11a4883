import { expect, test } from '@jest/globals';
import type { DeploymentView } from '@mu/client/deployment/follow';
import type { ManifestHead } from '@mu/client/manifest/head';
import { Lease, LeaseState, Order, OrderState } from '@mu/proto/market';
import {
  type DeliveryState,
  type Handed,
  holdersOf,
  peerBlocks,
  portionFor,
  stillNeeding,
} from '../src/delivery-plan.ts';

/** Three infrastructures: two whose keys are for their holders alone, one that is shared with all. */
const shares = { front: 'lease', data: 'lease', spare: 'all' } as const;
type Name = keyof typeof shares;
const names = Object.keys(shares) as Name[];

const headOf = (of: readonly Name[], revision = 1): ManifestHead =>
  ({
    revision: String(revision),
    files: [{ path: 'images/web.tar' }],
    workloads: of.map((infrastructure) => ({ infrastructure, services: [] })),
    sections: of.map((infrastructure) => ({ infrastructure, share: shares[infrastructure] })),
  }) as unknown as ManifestHead;
const head = headOf(names);

const orderOf = (name: Name, state: OrderState = OrderState.ORDER_STATE_MATCHED): Order =>
  Order.fromPartial({ id: { infrastructure: names.indexOf(name), round: 1 }, spec: { name }, state });
const leaseOf = (number: number, provider: string, name: Name, manifestRevision = 0): Lease =>
  Lease.fromPartial({
    number: BigInt(number),
    provider,
    order: { infrastructure: names.indexOf(name), round: 1 },
    state: LeaseState.LEASE_STATE_ACTIVE,
    manifestRevision: BigInt(manifestRevision),
  });
const viewOf = (
  leases: readonly Lease[],
  height = 100n,
  orders = names.map((name) => orderOf(name)),
): DeploymentView => ({
  height,
  orders,
  bids: [],
  leases,
});
const state = (change: Partial<DeliveryState> = {}): DeliveryState => ({
  head,
  handed: new Map(),
  lackingSince: new Map(),
  everybody: false,
  ...change,
});
const handed = (...of: readonly (readonly [number, Handed['portion']])[]): Map<bigint, Handed> =>
  new Map(of.map(([lease, portion]) => [BigInt(lease), { portion, height: 100n }]));

const three = [leaseOf(1, 'mu1a', 'front'), leaseOf(2, 'mu1b', 'data'), leaseOf(3, 'mu1c', 'spare')];
const portions = (view: DeploymentView, of: DeliveryState): Record<string, string | undefined> =>
  Object.fromEntries(holdersOf(view).map((holder) => [holder.provider, portionFor(holder, view, of)]));

test('whoever answers first gets everything, since nobody else could hand it on', () => {
  expect(portions(viewOf(three), state())).toEqual({ mu1a: 'all', mu1b: 'all', mu1c: 'all' });
});

test('once somebody has it, the others get keys that are theirs alone, and nothing that all share', () => {
  const after = state({ handed: handed([1, 'all']) });
  expect(portions(viewOf(three), after)).toEqual({ mu1a: undefined, mu1b: 'keys', mu1c: undefined });
  const withKeys = state({ handed: handed([1, 'all'], [2, 'keys']) });
  expect(portions(viewOf(three), withKeys)).toEqual({ mu1a: undefined, mu1b: undefined, mu1c: undefined });
});

test('what the chain says of a holder counts as well as what was handed over', () => {
  const running = viewOf([leaseOf(1, 'mu1a', 'front', 1), ...three.slice(1)]);
  expect(portions(running, state())).toEqual({ mu1a: undefined, mu1b: 'keys', mu1c: undefined });
});

test('a holder of the manifest whose lease has ended hands nothing on', () => {
  const broken = { ...leaseOf(1, 'mu1a', 'front', 1), state: LeaseState.LEASE_STATE_BROKEN };
  expect(portions(viewOf([broken, ...three.slice(1)]), state())).toEqual({ mu1b: 'all', mu1c: 'all' });
});

test('whoever lacks it some blocks later gets all of it, with its keys or without', () => {
  const lackingSince = new Map([1n, 2n, 3n].map((lease) => [lease, 100n]));
  const waiting = state({ handed: handed([1, 'all'], [2, 'keys']), lackingSince });
  expect(portions(viewOf(three, 99n + peerBlocks), waiting)).toEqual({
    mu1a: undefined,
    mu1b: undefined,
    mu1c: undefined,
  });
  expect(portions(viewOf(three, 100n + peerBlocks), waiting)).toEqual({ mu1a: undefined, mu1b: 'all', mu1c: 'all' });
});

test('an update is a manifest that everybody lacks', () => {
  const old = [leaseOf(1, 'mu1a', 'front', 1), leaseOf(2, 'mu1b', 'data', 1)];
  expect(portions(viewOf(old), state({ head: headOf(names, 2) }))).toEqual({ mu1a: 'all', mu1b: 'all' });
});

test('with one infrastructure, and where everybody is to have it, everything comes from the user', () => {
  const two = [leaseOf(1, 'mu1a', 'front', 1), leaseOf(4, 'mu1b', 'front')];
  expect(portions(viewOf(two), state({ head: headOf(['front']) }))).toEqual({ mu1a: undefined, mu1b: 'all' });
  const everybody = state({ handed: handed([1, 'all']), everybody: true });
  expect(portions(viewOf(three), everybody)).toEqual({ mu1a: undefined, mu1b: 'all', mu1c: 'all' });
});

test('a provider with several leases is one holder', () => {
  const view = viewOf([leaseOf(1, 'mu1a', 'front'), leaseOf(2, 'mu1a', 'spare'), leaseOf(3, 'mu1b', 'data')]);
  expect(holdersOf(view).map(({ provider, infrastructures }) => [provider, infrastructures])).toEqual([
    ['mu1a', ['front', 'spare']],
    ['mu1b', ['data']],
  ]);
});

test('the user may leave when somebody has it whole and every key that is not for all has its holder', () => {
  const needing = (view: DeploymentView, of: Partial<DeliveryState> = {}) => stillNeeding(view, state(of));
  expect(needing(viewOf(three))).toEqual(names);
  expect(needing(viewOf(three), { handed: handed([1, 'all']) })).toEqual(['data']);
  expect(needing(viewOf(three), { handed: handed([1, 'all'], [2, 'keys']) })).toEqual([]);
  // Nobody has the shared one yet: whoever comes gets it from the others.
  const ordered = [orderOf('front'), orderOf('data'), orderOf('spare', OrderState.ORDER_STATE_OPEN)];
  expect(needing(viewOf(three.slice(0, 2), 100n, ordered), { handed: handed([1, 'all'], [2, 'keys']) })).toEqual([]);
  // A lease that is about to be replaced: its next holder needs the key.
  const anew = [orderOf('front'), orderOf('data', OrderState.ORDER_STATE_OPEN), orderOf('spare')];
  expect(needing(viewOf(three, 100n, anew), { handed: handed([1, 'all'], [2, 'keys']) })).toEqual(['data']);
  expect(needing(viewOf([leaseOf(3, 'mu1c', 'spare')]), { handed: handed([3, 'all']) })).toEqual(['front', 'data']);
});
