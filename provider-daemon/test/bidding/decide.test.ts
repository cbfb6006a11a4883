import { describe, expect, test } from '@jest/globals';
import { Dec } from '@mu/lib/dec';
import { OrderState } from '@mu/proto/market';
import { type Offer, priced, whyTooDear, whyUnfit } from '../../src/bidding/decide.ts';
import { atomics, compute, group, offer, order } from './fixture.ts';

test('an order that fits is one to bid for, at the price of the rates', () => {
  expect(whyUnfit(order(), offer)).toBeUndefined();
  // 100 × 0.01 + 128 × 0.03 + 0.25 × 0.4 = 4.94
  expect(priced(order(), offer).prices.map((price) => price.toPlain())).toEqual(['4.94']);
  expect(whyTooDear(priced(order(), offer))).toBeUndefined();
});

describe('prices', () => {
  const priceOfOne = (change: object, of: Partial<Offer> = {}): string | undefined =>
    priced(order({ resources: [{ ...group, compute: { ...compute, ...change } }] }), {
      ...offer,
      ...of,
    }).prices[0]?.toPlain();

  test('a small replica costs at least the floor', () => {
    expect(priceOfOne({ cpu: 1, memory: 0n, disk: 0n })).toBe('0.5');
  });

  test('a graphics processor costs what its model does; who takes any pays for the dearest', () => {
    const gpus = [
      { vendor: 'nvidia', model: 'a100', count: 2 },
      { vendor: 'amd', model: 'mi300', count: 2 },
    ];
    const rates = { ...offer.rates, gpuModels: [{ name: 'nvidia/a100', price: Dec.fromString('400') }] };
    const of = { rates, capacity: { ...offer.capacity, gpus } };
    expect(priceOfOne({ gpu: { count: 2, vendor: 'nvidia', model: 'a100' } }, of)).toBe('804.94');
    expect(priceOfOne({ gpu: { count: 1, vendor: 'amd', model: '' } }, of)).toBe('104.94');
    expect(priceOfOne({ gpu: { count: 1, vendor: '', model: '' } }, of)).toBe('404.94');
  });

  test('above the order’s most there is no bid, at it there is; and none for nothing', () => {
    const at = (price: string): string | undefined =>
      whyTooDear(priced(order({ resources: [{ ...group, price: atomics(price) }] }), offer));
    expect(at('4.94')).toBeUndefined();
    expect(at('4.939999999999999999')).toBe('the order pays 4.939999999999999999 umu per block, the price is 4.94');
    expect(whyTooDear({ order: order(), prices: [Dec.zero] })).toContain('not above 0');
    expect(whyTooDear({ order: order(), prices: [] })).toContain('no price');
  });
});

describe('there is no bid', () => {
  const limit = { metric: 'gateway-requests', maxPrice: atomics('2'), maxPricePer: 1000n, maxQuantityPerBlock: 1n };
  const cases: [string, object, string][] = [
    ['in another region', { region: 'mars' }, 'region mars is not served'],
    ['for another provider', { provider: 'mu1other' }, 'names another provider'],
    ['when excluded', { excludedProviders: ['mu1provider'] }, 'excludes this provider'],
    ['for a service that is not offered', { services: ['mu-function', 'mu-store'] }, 'not offered: mu-store'],
    ['for attributes that are not met', { attributes: [{ key: 'tier', value: 'iron' }] }, 'attributes not met: tier'],
    ['for a group without resources', { resources: [{ ...group, compute: undefined }] }, 'no resources'],
    [
      'for a graphics processor without containers, which alone get one',
      { resources: [{ ...group, compute: { ...compute, gpu: { count: 1, vendor: '', model: '' } } }] },
      'only containers get',
    ],
    ['above a usage limit', { usageLimits: [{ ...limit, maxPrice: atomics('1.99') }] }, 'price of gateway-requests'],
    ['for auditors who said nothing', { auditedBy: ['mu1auditor'] }, 'none of the auditors'],
  ];
  test.each(cases)('%s', (_what, change, reason) => {
    expect(whyUnfit(order(change), offer)).toContain(reason);
  });

  test('for an order that is over', () => {
    expect(whyUnfit({ ...order(), state: OrderState.ORDER_STATE_MATCHED }, offer)).toBe('the order is not open');
  });

  test('at the usage limit there is one, and without a limit of one’s own metric too', () => {
    expect(whyUnfit(order({ usageLimits: [limit] }), offer)).toBeUndefined();
    expect(whyUnfit(order({ usageLimits: [{ ...limit, metric: 'other', maxPrice: '0' }] }), offer)).toBeUndefined();
  });
});

test('an order for its chosen provider is bid for', () => {
  expect(whyUnfit(order({ provider: 'mu1provider' }), offer)).toBeUndefined();
});

describe('owners', () => {
  const why = (change: Partial<Offer>): string | undefined => whyUnfit(order(), { ...offer, ...change });
  test('one that is denied is not served, also where it is allowed', () => {
    expect(why({ denyOwners: ['mu1owner'] })).toContain('bidding.deny_owners');
    expect(why({ denyOwners: ['mu1owner'], allowOwners: ['mu1owner'] })).toContain('bidding.deny_owners');
    expect(why({ denyOwners: ['mu1other'] })).toBeUndefined();
  });

  test('where some are allowed, nobody else is', () => {
    expect(why({ allowOwners: ['mu1other'] })).toContain('bidding.allow_owners');
    expect(why({ allowOwners: ['mu1other', 'mu1owner'] })).toBeUndefined();
  });
});

describe('where auditors are named', () => {
  const asked = order({ auditedBy: ['mu1a', 'mu1b'] });
  const statement = (auditor: string, value: string) => ({ auditor, attributes: [{ key: 'tier', value }] });
  test('one of them must have stated what is asked', () => {
    expect(whyUnfit(asked, { ...offer, attestations: [statement('mu1b', 'gold')] })).toBeUndefined();
    expect(whyUnfit(asked, { ...offer, attestations: [statement('mu1b', 'iron')] })).toContain('mu1a, mu1b');
    expect(whyUnfit(asked, { ...offer, attestations: [statement('mu1c', 'gold')] })).toContain('mu1a, mu1b');
  });

  test('one of them must have stated all of it', () => {
    const attributes = [
      { key: 'tier', value: 'gold' },
      { key: 'dc', value: '7' },
    ];
    const both = order({ attributes, auditedBy: ['mu1a', 'mu1b'] });
    const halves = attributes.map((one, at) => ({ auditor: at === 0 ? 'mu1a' : 'mu1b', attributes: [one] }));
    expect(whyUnfit(both, { ...offer, attributes, attestations: halves })).toContain('none of the auditors');
    expect(whyUnfit(both, { ...offer, attributes, attestations: [{ auditor: 'mu1a', attributes }] })).toBeUndefined();
  });
});
