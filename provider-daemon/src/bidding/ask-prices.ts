/** Asks the price script about orders, as many at a time as it allows. */
import type { Offer, Priced } from './decide.ts';
import type { Inventory } from './inventory.ts';
import type { Skipped } from './plan.ts';
import { type PriceAnswer, priceQuestion, readAnswer } from './price-question.ts';
import type { PriceScript } from './price-script.ts';

/** @param byRates orders with what the rates make of them @param inventory as all of them see it */
export async function askPrices(
  script: Pick<PriceScript, 'ask'>,
  byRates: readonly Priced[],
  offer: Offer,
  inventory: Inventory,
): Promise<{ readonly found: readonly Priced[]; readonly skipped: readonly Skipped[] }> {
  const answers = await Promise.all(
    byRates.map(async (one): Promise<PriceAnswer> => {
      const output = await script.ask(priceQuestion(one, offer, inventory));
      return 'failure' in output ? { refusal: output.failure } : readAnswer(output.text, one);
    }),
  );
  const found: Priced[] = [];
  const skipped: Skipped[] = [];
  for (const [at, { order }] of byRates.entries()) {
    const answer = answers[at] as PriceAnswer;
    if ('prices' in answer) found.push({ order, prices: answer.prices });
    else skipped.push({ order, reason: answer.refusal, lasting: 'ever' });
  }
  return { found, skipped };
}
