/**
 * What the price script is asked and what it may answer: one line of JSON each way. Pure.
 *
 * Question: `{order, resources, rates, price, inventory}`. Amounts are texts: bytes, umu and thousandths go beyond what
 * every JSON reader keeps, and prices are decimals. Answer: `{"prices": ["1.5", …]}`, one of umu per block for a replica of
 * each group, in their order, or `{"refuse": "why"}`.
 */
import { Dec } from '@mu/lib/dec';
import { type Offer, type Priced, whyTooDear } from './decide.ts';
import type { Inventory } from './inventory.ts';

export type PriceAnswer = { readonly prices: readonly Dec[] } | { readonly refusal: string };

/** Without the line's end. */
export function priceQuestion({ order, prices }: Priced, { rates }: Offer, inventory: Inventory): string {
  const { id, spec, readyHeight, createdHeight, openBids, replaces } = order;
  const question = {
    order: {
      ...id,
      readyHeight,
      createdHeight,
      openBids,
      replaces,
      name: spec?.name,
      region: spec?.region,
      services: spec?.services,
      attributes: spec?.attributes,
      persist: spec?.persist,
      usageLimits: spec?.usageLimits.map(({ maxPrice, ...limit }) => ({ ...limit, maxPrice: plain(maxPrice) })),
      expectedUsage: spec?.expectedUsage,
    },
    resources: spec?.resources.map(({ price, ...group }) => ({ ...group, maxPrice: plain(price) })),
    rates,
    price: prices,
    inventory,
  };
  return JSON.stringify(question, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}

const plain = (atomics: string): string => Dec.fromAtomics(atomics).toPlain();

const maxReasonLength = 200;

/** Reads what the script wrote. Whatever is not one of the two answers is a refusal that says what is wrong. */
export function readAnswer(text: string, { order }: Priced): PriceAnswer {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return { refusal: `the price script wrote no JSON: ${JSON.stringify(text.slice(0, maxReasonLength))}` };
  }
  if (typeof answer !== 'object' || answer === null) return { refusal: 'the price script wrote no JSON object' };
  const { prices, refuse, ...unknown } = answer as Readonly<Record<string, unknown>>;
  const given = [prices, refuse].filter((one) => one !== undefined).length;
  if (given !== 1 || Object.keys(unknown).length > 0) {
    return { refusal: 'the price script must answer {"prices": […]} or {"refuse": "why"}, and nothing else' };
  }
  if (refuse !== undefined) {
    if (typeof refuse !== 'string') return { refusal: 'the price script refused without a text' };
    return { refusal: `the price script refused: ${refuse.slice(0, maxReasonLength)}` };
  }
  const groups = order.spec?.resources.length ?? 0;
  if (!Array.isArray(prices) || prices.length !== groups) {
    return { refusal: `the price script must give ${groups} prices, one for each group` };
  }
  const read = prices.map(readPrice);
  if (!read.every((price) => price !== undefined)) {
    return { refusal: 'a price of the price script is no decimal text above 0 with at most 18 decimals' };
  }
  const dear = whyTooDear({ order, prices: read });
  return dear === undefined ? { prices: read } : { refusal: `by the price script: ${dear}` };
}

function readPrice(value: unknown): Dec | undefined {
  if (typeof value !== 'string') return undefined;
  try {
    const price = Dec.fromString(value);
    return price.isPositive() ? price : undefined;
  } catch {
    return undefined;
  }
}
