/**
 * The list of providers: over the index of the narrowest filter that is named (price of a metric, else an attribute, else a
 * region), the other filters applied to what it leads to.
 */
import { bytesKey, type KeyCodec } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { errInvalidRequest } from '@mu/framework/errors';
import { listPage, type Page, type Source } from '@mu/framework/pagination';
import { type Attribute, Provider, ProviderState, type QueryProvidersRequest } from '@mu/proto/provider';
import { errMetric, errRegion } from './errors.ts';
import { attributeOwnerKey, priceOwnerKey, regionOwnerKey } from './keys.ts';
import { namePattern } from './params.ts';
import { checkAttributeForm, checkPriceForm } from './rules.ts';
import { indexedPrice, providers, providersByAttribute, providersByPrice, providersByRegion } from './state.ts';

/**
 * Providers of one page: by price, the cheapest first, where a metric is named; else by owner.
 * @throws AbciError unknown region (6), unknown metric (8), attributes are wrong (12), price list is wrong (13) for a bound
 *   that is no price, invalid request (sdk 18) for a bound without a metric and a page that is none
 */
export function providerPage(ctx: Context, request: QueryProvidersRequest): Page<Provider> {
  checkRequest(request);
  const keeps = filterOf(request);
  const { pagination, metric, region, attributes } = request;
  const [attribute] = attributes;
  if (metric !== '') return listPage(ctx, pricedFor(request), pagination, keeps);
  if (attribute !== undefined) return listPage(ctx, stating(attribute), pagination, keeps);
  return region === ''
    ? listPage(ctx, everyone, pagination, keeps)
    : listPage(ctx, indexed(providersByRegion, regionOwnerKey, [region]), pagination, keeps);
}

/** What can be no name makes no key. */
function checkRequest({ region, metric, attributes, maxPrice }: QueryProvidersRequest): void {
  if (region !== '' && !namePattern.test(region)) throw errRegion.wrap(region.slice(0, 64));
  if (metric !== '' && !namePattern.test(metric)) throw errMetric.wrap(metric.slice(0, 64));
  if (metric === '' && maxPrice !== '') throw errInvalidRequest.wrap('max_price is of a metric: name one');
  checkAttributeForm(attributes);
}

function filterOf({ region, state, attributes }: QueryProvidersRequest): (provider: Provider) => boolean {
  return (provider) =>
    (state === ProviderState.PROVIDER_STATE_UNSPECIFIED || provider.state === state) &&
    (region === '' || provider.regions.includes(region)) &&
    attributes.every(({ key, value }) => provider.attributes.some((one) => one.key === key && one.value === value));
}

const everyone: Source<Uint8Array, Provider> = {
  keys: providers,
  codec: bytesKey,
  prefix: [],
  load: (_ctx, _key, value) => Provider.decode(value),
};

/** Providers that an index leads to by the last part of its keys. */
function indexed<K extends readonly [...unknown[], Uint8Array]>(
  keys: Source<K, Provider>['keys'],
  codec: KeyCodec<K>,
  prefix: readonly unknown[],
): Source<K, Provider> {
  return { keys, codec, prefix, load: (ctx, key) => providers.get(ctx, key.at(-1) as Uint8Array) as Provider };
}

const stating = ({ key, value }: Attribute): Source<readonly [string, string, Uint8Array], Provider> =>
  indexed(providersByAttribute, attributeOwnerKey, [key, value]);

/** Who sells a metric, up to the bound: what is dearer is not read. */
function pricedFor({
  metric,
  maxPrice,
  maxPricePer,
}: QueryProvidersRequest): Source<readonly [string, bigint, Uint8Array], Provider> {
  const source = indexed(providersByPrice, priceOwnerKey, [metric]);
  if (maxPrice === '') return source;
  const bound = { metric, price: maxPrice, per: maxPricePer === 0n ? 1n : maxPricePer };
  checkPriceForm([bound]);
  const before = [metric, indexedPrice(bound) + 1n, new Uint8Array()] as const;
  const { storeName } = providersByPrice;
  return { ...source, keys: { storeName, bounds: (range) => providersByPrice.bounds({ ...range, before }) } };
}
