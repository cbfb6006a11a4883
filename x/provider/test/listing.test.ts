/** The list of providers by region, attribute and price, and what its indexes say as providers come, change and go. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { u64Key } from '@mu/framework/collections';
import { ProviderState, QueryProvidersRequest } from '@mu/proto/provider';
import { createQueryServer } from '../src/query-server.ts';
import { offeredVersion, providersByAttribute, providersByPrice, putProvider } from '../src/state.ts';
import { unitPrice, unitPriceKey } from '../src/unit-price.ts';
import { address, codeOf, dec, registration, World } from './world.ts';

const [ada, ben, cho, dee] = [21, 22, 23, 24].map(address) as [string, string, string, string];
const reads = 'database-reads';
const egress = 'egress-bytes';
const price = (metric: string, text: string, per = 1n) => ({ metric, price: dec(text), per });

let world: World;
beforeEach(() => {
  world = new World({ regions: ['east', 'west'], unbondingBlocks: 5n });
  for (const one of [ada, ben, cho, dee]) world.fund(one, 1_000_000_000n);
  enter(ada, ['east'], 'gold', [price(reads, '3')]);
  enter(ben, ['east', 'west'], 'gold', [price(reads, '10', 5n), price(egress, '1')]);
  enter(cho, ['west'], 'silver', [price(reads, '0.5')]);
  enter(dee, ['east'], 'gold', []);
});

function enter(owner: string, regions: string[], tier: string, prices: ReturnType<typeof price>[]): void {
  world.register({ owner, payoutAddress: owner, regions, prices, attributes: attributes(tier) });
}

const attributes = (tier: string) => [
  { key: 'disk', value: 'ssd' },
  { key: 'tier', value: tier },
];

type Filters = Parameters<typeof QueryProvidersRequest.fromPartial>[0];

function listed(filters: Filters): string[] {
  const names = new Map([
    [ada, 'ada'],
    [ben, 'ben'],
    [cho, 'cho'],
    [dee, 'dee'],
  ]);
  const { providers } = createQueryServer(world.keeper).providers(
    world.ctx,
    QueryProvidersRequest.fromPartial(filters ?? {}),
  );
  expect(world.broken()).toEqual([]);
  return (providers as { owner: string }[]).map(({ owner }) => names.get(owner) ?? owner);
}

const gold = { key: 'tier', value: 'gold' };

describe('the list', () => {
  test('of a metric is of those that sell it, the cheapest first', () => {
    expect(listed({ metric: reads })).toEqual(['cho', 'ben', 'ada']);
    expect(listed({ metric: egress })).toEqual(['ben']);
    expect(listed({ metric: 'gateway-bytes' })).toEqual([]);
    expect(listed({ metric: reads, pagination: { reverse: true } })).toEqual(['ada', 'ben', 'cho']);
  });

  test('up to a price takes that price itself, whatever the number of units it is for', () => {
    expect(listed({ metric: reads, maxPrice: dec('2') })).toEqual(['cho', 'ben']);
    expect(listed({ metric: reads, maxPrice: dec('1.999999999999999999') })).toEqual(['cho']);
    expect(listed({ metric: reads, maxPrice: dec('2000'), maxPricePer: 1_000n })).toEqual(['cho', 'ben']);
    expect(listed({ metric: reads, maxPrice: dec('0') })).toEqual([]);
    expect(listed({ metric: reads, maxPrice: dec('1000000000000000000000000000000000000') })).toHaveLength(3);
  });

  test('by attributes is of those that state all of them', () => {
    expect(listed({ attributes: [gold] })).toEqual(['ada', 'ben', 'dee']);
    expect(listed({ attributes: attributes('silver') })).toEqual(['cho']);
  });

  test('takes all filters together', () => {
    expect(listed({ metric: reads, region: 'east', attributes: [gold] })).toEqual(['ben', 'ada']);
    expect(listed({ metric: reads, region: 'west', attributes: [gold] })).toEqual(['ben']);
    expect(listed({ region: 'east', attributes: [gold], state: ProviderState.PROVIDER_STATE_LEAVING })).toEqual([]);
  });

  test('goes on where a page ended, also below a bound', () => {
    const server = createQueryServer(world.keeper);
    const page = (key: Uint8Array) =>
      server.providers(
        world.ctx,
        QueryProvidersRequest.fromPartial({ metric: reads, maxPrice: dec('2'), pagination: { key, limit: 1n } }),
      );
    const first = page(new Uint8Array());
    const second = page(first.pagination?.nextKey ?? new Uint8Array());
    expect([first, second].map(({ providers }) => providers.map(({ owner }) => owner))).toEqual([[cho], [ben]]);
    expect(second.pagination?.nextKey).toHaveLength(0);
  });

  const wrong: [string, string, Filters][] = [
    ['sdk/18', 'a bound without a metric', { maxPrice: '1' }],
    ['provider/8', 'a metric that is no name', { metric: 'x'.repeat(300) }],
    ['provider/12', 'an attribute that is none', { attributes: [{ key: 'Tier', value: 'gold' }] }],
    ['provider/12', 'an attribute key twice', { attributes: [gold, { key: 'tier', value: 'silver' }] }],
    ['provider/12', 'an attribute value that is too long', { attributes: [{ key: 'tier', value: 'x'.repeat(300) }] }],
    ['provider/13', 'a bound below 0', { metric: reads, maxPrice: '-1' }],
    ['provider/13', 'a bound that is no number', { metric: reads, maxPrice: '1.5' }],
  ];
  test.each(wrong)('%s: %s', (code, _what, filters) => {
    expect(codeOf(() => listed(filters))).toBe(code);
  });
});

describe('the indexes follow', () => {
  test('an update of what is stated, and leave what stays', () => {
    world.msgs.updateProvider(world.ctx, registration({ owner: ada, regions: ['west'], attributes: [gold] }));
    expect(listed({ attributes: [{ key: 'disk', value: 'ssd' }] })).toEqual(['ben', 'cho', 'dee']);
    expect(listed({ attributes: [gold] })).toEqual(['ada', 'ben', 'dee']);
    expect(listed({ region: 'west', metric: reads })).toEqual(['cho', 'ben', 'ada']);
  });

  test('a new list: other prices move, what is not in it is not sold', () => {
    world.msgs.publishPriceList(world.ctx, { owner: ben, prices: [price(reads, '0.1')] });
    expect(listed({ metric: reads })).toEqual(['ben', 'cho', 'ada']);
    expect(listed({ metric: egress })).toEqual([]);
    world.msgs.publishPriceList(world.ctx, { owner: ben, prices: [price(reads, '1', 10n)] });
    expect(listed({ metric: reads })).toEqual(['ben', 'cho', 'ada']);
  });

  test('who leaves sells nothing, and sells again after coming back', () => {
    world.msgs.deregisterProvider(world.ctx, { owner: cho });
    expect(listed({ metric: reads })).toEqual(['ben', 'ada']);
    expect(listed({ attributes: attributes('silver') })).toEqual(['cho']);
    world.end(15n);
    expect(listed({ metric: reads })).toEqual(['ben', 'ada']);
    expect(listed({ attributes: attributes('silver'), state: ProviderState.PROVIDER_STATE_GONE })).toEqual(['cho']);
    enter(cho, ['west'], 'silver', []);
    expect(listed({ metric: reads })).toEqual(['cho', 'ben', 'ada']);
    expect(offeredVersion(world.provider(cho))).toBe(1n);
  });

  test('who comes back with a new list and nothing else than before', () => {
    world.msgs.deregisterProvider(world.ctx, { owner: cho });
    world.end(15n);
    enter(cho, ['east'], 'gold', [price(egress, '0.5')]);
    expect(listed({ metric: reads })).toEqual(['ben', 'ada']);
    expect(listed({ metric: egress })).toEqual(['cho', 'ben']);
    expect(listed({ attributes: attributes('silver') })).toEqual([]);
  });

  test('nothing is written where nothing changes', () => {
    const at = [...providersByPrice.iterate(world.ctx)].length + [...providersByAttribute.iterate(world.ctx)].length;
    putProvider(world.ctx, world.provider(ada), world.provider(ada));
    expect([...providersByPrice.iterate(world.ctx)].length + [...providersByAttribute.iterate(world.ctx)].length).toBe(
      at,
    );
  });
});

describe('a unit price', () => {
  const most = 10n ** 54n;
  const pairs: [bigint, bigint, bigint, bigint][] = [
    // The closest two that differ: their difference is 1 / (per × per).
    [1n, 2n ** 64n - 1n, 1n, 2n ** 64n - 2n],
    [2n ** 64n - 3n, 2n ** 64n - 2n, 2n ** 64n - 2n, 2n ** 64n - 1n],
    [most - 1n, 1n, most, 1n],
    [0n, 1n, 1n, 2n ** 64n - 1n],
  ];
  test.each(pairs)('%d/%d is below %d/%d, as keys too', (a, b, c, d) => {
    const [low, high] = [unitPrice(a, b), unitPrice(c, d)];
    expect(low < high).toBe(true);
    expect(Buffer.compare(unitPriceKey.encode(low), unitPriceKey.encode(high))).toBe(-1);
  });

  test('is one for the same price of other numbers, and comes back from its key', () => {
    expect(unitPrice(1n, 10n)).toBe(unitPrice(10n, 100n));
    const unit = unitPrice(most, 1n);
    const key = unitPriceKey.encode(unit);
    expect(key).toHaveLength(40);
    expect(unitPriceKey.decode(Uint8Array.from([...u64Key.encode(7n), ...key]), 8)).toEqual([unit, 48]);
    expect(() => unitPriceKey.encode(-1n)).toThrow(RangeError);
    expect(() => unitPriceKey.encode(2n ** 320n)).toThrow(RangeError);
  });
});
