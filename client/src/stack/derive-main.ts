/** The infrastructure of a stack that names none: one group that holds all its functions (design §8). */
import { Dec } from '@mu/lib/dec';
import type { DeploymentInfrastructure, ResourceGroup, UsageLimit } from '@mu/proto/deployment';
import type { ChoiceBook } from './choice-book.ts';
import { DeriveError, type MarketFacts } from './derive-types.ts';
import { type OrderContext, serviceOfMetric } from './order-context.ts';
import { kindsOf } from './placements.ts';
import { computeOf } from './room.ts';
import type { Stack } from './schema.ts';
import { medianUsageLimits } from './usage-limits.ts';

const mib = 1024n * 1024n;

/** The user's choices are noted. @throws DeriveError where one is missing, or cannot be */
export function deriveMain(stack: Stack, { market, book, collateral }: OrderContext): DeploymentInfrastructure {
  const region = regionOf(book, market);
  const price = maxPriceOf(book, region, market);
  const compute = computeOf(stack.services);
  const services = kindsOf(stack.services);
  book.note('services', services.join(', '), 'the types of the services');
  book.note(
    'compute',
    `${compute.cpu} thousandths of a CPU, ${compute.memory / mib} MiB of memory, ${compute.disk / mib} MiB of disk`,
    'the number of functions',
  );
  const group: ResourceGroup = {
    compute,
    price: price.atomicsString(),
    collateral: collateral(price).toString(),
    count: 1,
  };
  book.note('collateral', `${group.collateral} umu`, 'the price of some blocks');
  const usageLimits = usageLimitsOf(book, { region, services, market });
  return {
    name: 'main',
    region,
    provider: '',
    excludedProviders: [],
    persist: false,
    services,
    attributes: [],
    auditedBy: [],
    resources: [group],
    usageLimits,
    expectedUsage: [],
  };
}

function regionOf(book: ChoiceBook, market: MarketFacts): string {
  const region = book.of('region') ?? (market.regions.length === 1 ? market.regions[0] : undefined);
  if (region === undefined) {
    throw new DeriveError(
      'region_missing',
      `there are several regions: choose one with --region or in the config; allowed: ${market.regions.join(', ')}`,
    );
  }
  if (!market.regions.includes(region)) {
    throw new DeriveError(
      'region_unknown',
      `unknown region ${JSON.stringify(region)}; allowed: ${market.regions.join(', ')}`,
    );
  }
  book.note('region', region, book.source('--region', 'region') ?? 'the only region');
  return region;
}

function maxPriceOf(book: ChoiceBook, region: string, market: MarketFacts): Dec {
  const price = book.of('maxPrice');
  if (price === undefined) {
    const asks = market.asks.filter((ask) => ask.region === region).sort((a, b) => a.total.cmp(b.total));
    const asked = asks.map((ask) => `  ${ask.provider} asked ${ask.total.toPlain()} umu per block`).join('\n');
    throw new DeriveError(
      'price_missing',
      `no price: say with --max-price or in the config what the deployment may cost, in umu per block.\n${
        asks.length > 0 ? `Last asked in ${region}:\n${asked}` : `Nobody has asked a price in ${region} yet.`
      }`,
      asks,
    );
  }
  if (!price.isPositive())
    throw new DeriveError('price_zero', 'a price of zero buys nothing; allowed: umu per block, above 0');
  book.note('price', `at most ${price.toPlain()} umu per block`, book.source('--max-price', 'maxPrice') ?? '');
  return price;
}

/** Limits of the config that concern the stack's services, else twice the median of the region's lists. */
function usageLimitsOf(
  book: ChoiceBook,
  at: { readonly region: string; readonly services: readonly string[]; readonly market: MarketFacts },
): UsageLimit[] {
  const { market, services } = at;
  const given = book.of('usageLimits');
  const lists = market.priceLists.filter(({ regions }) => regions.includes(at.region));
  const limits =
    given?.filter((limit) => services.includes(serviceOfMetric(limit.metric, market))) ??
    medianUsageLimits(lists, market.metrics, services);
  const from =
    given === undefined
      ? 'twice the median of the region’s price lists'
      : (book.source('options', 'usageLimits') ?? '');
  for (const limit of limits) {
    const price = Dec.fromAtomics(limit.maxPrice).toPlain();
    book.note(
      `limit of ${limit.metric}`,
      `${price} umu for ${limit.maxPricePer}, at most ${limit.maxQuantityPerBlock} per block`,
      from,
    );
  }
  return [...limits];
}
