/** One order and one offer, as most tests of bidding want them. */
import { Dec } from '@mu/lib/dec';
import { Order, OrderState, type ResourceOffer } from '@mu/proto/market';
import { PriceList } from '@mu/proto/provider';
import type { Offer } from '../../src/bidding/decide.ts';

export const mib = 1_048_576n;
export const atomics = (text: string): string => Dec.fromString(text).atomicsString();
export const compute = { cpu: 100, memory: 128n * mib, disk: 256n * mib, gpu: undefined };
export const group: ResourceOffer = { compute, price: atomics('10'), collateral: '100', count: 2 };

export const spec = {
  name: 'main',
  region: 'local',
  services: ['mu-function'],
  attributes: [{ key: 'tier', value: 'gold' }],
  resources: [group],
  usageLimits: [{ metric: 'gateway-requests', maxPrice: atomics('2'), maxPricePer: 1000n, maxQuantityPerBlock: 10n }],
};

/** @param change of the spec @param dseq tells orders apart */
export const order = (change: object = {}, dseq = 7n): Order =>
  Order.fromPartial({
    id: { owner: 'mu1owner', dseq, infrastructure: 0, round: 1 },
    state: OrderState.ORDER_STATE_OPEN,
    createdHeight: 5n,
    spec: { ...spec, ...change },
  });

export const offer: Offer = {
  provider: 'mu1provider',
  regions: ['local'],
  services: ['mu-function', 'mu-gateway'],
  attributes: [{ key: 'tier', value: 'gold' }],
  attestations: [],
  allowOwners: [],
  denyOwners: [],
  capacity: { cpu: 1_000n, memory: 1_024n * mib, disk: 2_048n * mib, gpus: [] },
  rates: {
    cpu: Dec.fromString('0.01'),
    memoryMib: Dec.fromString('0.03'),
    diskGib: Dec.fromString('0.4'),
    gpu: Dec.fromString('100'),
    gpuModels: [],
    floor: Dec.fromString('0.5'),
  },
  maxCollateral: 1_000n,
  maxTotalCollateral: 1_000_000n,
  maxOpenBids: 100,
  priceList: PriceList.fromPartial({
    version: 3n,
    prices: [{ metric: 'gateway-requests', price: atomics('1'), per: 500n }],
  }),
};
