/** What the infrastructures of an order are derived from. */
import type { Dec } from '@mu/lib/dec';
import type { ChoiceBook } from './choice-book.ts';
import { DeriveError, type MarketFacts } from './derive-types.ts';

export interface OrderContext {
  readonly market: MarketFacts;
  readonly book: ChoiceBook;
  /** What a price asks of a provider where the stack does not say. @param price in umu per block @returns umu */
  readonly collateral: (price: Dec) => bigint;
}

/** The type of service that a metric belongs to. @throws DeriveError where the chain does not know the metric */
export function serviceOfMetric(metric: string, { metrics }: Pick<MarketFacts, 'metrics'>): string {
  const known = metrics.find(({ name }) => name === metric);
  if (known !== undefined) return known.service;
  throw new DeriveError(
    'metric_unknown',
    `unknown metric ${JSON.stringify(metric)} in the usage limits; allowed: ${metrics.map(({ name }) => name).join(', ')}`,
  );
}
