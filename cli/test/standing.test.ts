import { expect, test } from '@jest/globals';
import type { DeploymentView } from '@mu/client/deployment/follow';
import { Deployment } from '@mu/proto/deployment';
import { Lease, LeaseState, ManifestState, Order, OrderState } from '@mu/proto/market';
import { allAnswer, isSettled, neverServed, unheldStandbys } from '../src/standing.ts';

const names = ['main', 'data', 'main-standby-1'];
const deployment = Deployment.fromPartial({ revision: 2n, infrastructure: names.map((name) => ({ name })) });

const orderOf = (at: number, state: OrderState = OrderState.ORDER_STATE_MATCHED, round = 1): Order =>
  Order.fromPartial({ id: { infrastructure: at, round }, spec: { name: names[at] ?? '' }, state });
const open = (at: number, round?: number): Order => orderOf(at, OrderState.ORDER_STATE_OPEN, round);
const runs = (at: number, manifestRevision = 2n): Lease =>
  Lease.fromPartial({
    ...{ number: BigInt(at + 1), order: { infrastructure: at, round: 1 }, manifestRevision },
    ...{ state: LeaseState.LEASE_STATE_ACTIVE, manifestState: ManifestState.MANIFEST_STATE_RUNNING },
  });
const over = (at: number): Lease => ({ ...runs(at), state: LeaseState.LEASE_STATE_BROKEN });
const viewOf = (orders: readonly Order[], leases: readonly Lease[]): DeploymentView => ({
  ...{ height: 10n, bids: [], orders, leases },
});

test('a deployment answers when all that serves does: a standby serves nobody', () => {
  const orders = [orderOf(0), orderOf(1), open(2)];
  expect(allAnswer(viewOf([], []))).toBe(false);
  expect(allAnswer(viewOf(orders, [runs(0)]))).toBe(false);
  expect(allAnswer(viewOf(orders, [runs(0), runs(1)]))).toBe(true);
  expect(allAnswer(viewOf(orders, [runs(0), runs(2)]))).toBe(false);
});

test('an update has settled when all that serves runs its revision, whoever stands by', () => {
  const matched = [orderOf(0), orderOf(1), orderOf(2)];
  const serving = [runs(0), runs(1)];
  expect(isSettled(viewOf(matched, [...serving, runs(2)]), deployment)).toBe(true);
  expect(isSettled(viewOf([orderOf(0), orderOf(1), open(2)], serving), deployment)).toBe(true);
  expect(isSettled(viewOf(matched, [...serving, runs(2, 1n)]), deployment)).toBe(true);
  expect(isSettled(viewOf(matched, [runs(0), runs(1, 1n), runs(2)]), deployment)).toBe(false);
  expect(isSettled(viewOf([orderOf(0), open(1, 2), orderOf(2)], [...serving, runs(2)]), deployment)).toBe(false);
  // The lease before lives until the new one has taken over.
  expect(isSettled(viewOf(matched, [...serving, { ...runs(1), number: 9n }]), deployment)).toBe(false);
});

test('what was never served is told apart from what lost its lease, and from standbys that nobody has taken', () => {
  const view = viewOf([open(0), open(1, 2), open(2)], [over(1)]);
  expect(neverServed(view)).toEqual(['main']);
  expect(unheldStandbys(view)).toEqual(['main-standby-1']);
  expect(neverServed(viewOf([orderOf(0), orderOf(1)], [runs(0), runs(1)]))).toEqual([]);
  expect(unheldStandbys(viewOf([orderOf(2)], [runs(2)]))).toEqual([]);
});
