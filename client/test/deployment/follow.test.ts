import { expect, test } from '@jest/globals';
import { Fulfillment, Lease, LeaseState, ManifestState, Order } from '@mu/proto/market';
import { answering, type DeploymentView, stepsBetween } from '../../src/deployment/follow.ts';

const order = Order.fromPartial({ id: { owner: 'mu1a', dseq: 1n, infrastructure: 0, round: 1 } });
const bid = Fulfillment.fromPartial({ number: 1n, total: '5000000000000000000' });
const lease = Lease.fromPartial({ number: 1n, state: LeaseState.LEASE_STATE_ACTIVE });
const confirmed = { ...lease, firstConfirmedHeight: 4n };
const answers = {
  ...confirmed,
  endpoints: ['http://a'],
  manifestState: ManifestState.MANIFEST_STATE_RUNNING,
  manifestRevision: 1n,
};
const broken = { ...answers, state: LeaseState.LEASE_STATE_BROKEN };
const view = (change: Partial<DeploymentView>): DeploymentView => ({
  height: 1n,
  orders: [order],
  bids: [],
  leases: [],
  ...change,
});

test('each change is told once, in the order in which a deployment lives', () => {
  const views = [
    view({}),
    view({ bids: [bid] }),
    view({ bids: [bid], leases: [lease] }),
    view({ leases: [confirmed] }),
    view({ leases: [answers] }),
    view({ leases: [answers] }),
    view({ leases: [broken] }),
  ];
  const told = views.map((now, at) => stepsBetween(views[at - 1], now).map(({ type }) => type));
  expect(told).toEqual([['order'], ['bid'], ['lease'], ['confirmed'], ['answers'], [], ['ended']]);
});

test('one who looks for the first time sees it all', () => {
  const steps = stepsBetween(undefined, view({ bids: [bid], leases: [answers] })).map(({ type }) => type);
  expect(steps).toEqual(['order', 'bid', 'lease', 'confirmed', 'answers']);
});

test('only a live lease that runs answers, with a public address or without', () => {
  const inside = { ...answers, number: 2n, endpoints: [] };
  expect(answering(view({ leases: [confirmed, answers, inside, broken] }))).toEqual([answers, inside]);
});
