/** What a derivation needs to know of the market, asked of the chain. */
import { parseAmount } from '@mu/lib/amounts';
import { Dec } from '@mu/lib/dec';
import { FulfillmentState } from '@mu/proto/market';
import { type Provider, ProviderState } from '@mu/proto/provider';
import type { ChainClient } from '../chain/chain-client.ts';
import type { Ask, MarketFacts } from '../stack/derive-types.ts';
import type { PriceListFact } from '../stack/usage-limits.ts';

/** Providers that are looked at: beyond them the median hardly moves. */
const mostProviders = 100n;

export async function marketFacts(client: ChainClient): Promise<MarketFacts> {
  const [registry, billing, market, { providers }] = await Promise.all([
    client.provider.params({}),
    client.billing.params({}),
    client.market.params({}),
    client.provider.providers({
      state: ProviderState.PROVIDER_STATE_ACTIVE,
      pagination: { key: new Uint8Array(), offset: 0n, limit: mostProviders, countTotal: false, reverse: false },
    }),
  ]);
  const [priceLists, asks] = await Promise.all([
    Promise.all(providers.map((provider) => priceListOf(client, provider))),
    Promise.all(providers.map((provider) => lastAsks(client, provider))),
  ]);
  return {
    regions: registry.params?.regions ?? [],
    metrics: registry.params?.metrics ?? [],
    priceLists: priceLists.flat(),
    asks: asks.flat(),
    minRunwayBlocks: billing.params?.minRunwayBlocks ?? 0n,
    usageWindowBlocks: billing.params?.usageWindowBlocks ?? 0n,
    minDeposit: parseAmount(billing.params?.minDeposit ?? '0'),
    maxCollateral: parseAmount(market.params?.maxCollateral ?? '0'),
  };
}

async function priceListOf(client: ChainClient, provider: Provider): Promise<PriceListFact[]> {
  if (provider.priceListVersion === 0n) return [];
  const { priceList } = await client.provider.priceList({ owner: provider.owner, version: 0n });
  const prices = (priceList?.prices ?? []).map(({ metric, price, per }) => ({
    metric,
    price: Dec.fromAtomics(price),
    per,
  }));
  return [{ provider: provider.owner, regions: provider.regions, prices }];
}

/** The newest bid of a provider, whatever became of it, for each region that it serves. */
async function lastAsks(client: ChainClient, provider: Provider): Promise<Ask[]> {
  const { fulfillments } = await client.market.fulfillments({
    provider: provider.owner,
    state: FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED,
    pagination: { key: new Uint8Array(), offset: 0n, limit: 1n, countTotal: false, reverse: true },
  });
  const [last] = fulfillments;
  if (last === undefined) return [];
  return provider.regions.map((region) => ({ provider: provider.owner, region, total: Dec.fromAtomics(last.total) }));
}
