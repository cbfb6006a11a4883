/** mucli runway DSEQ: how long the funds of a deployment last. */
import { Dec } from '@mu/lib/dec';
import type { QueryRunwayResponse } from '@mu/proto/billing';
import { wholeNumber } from '../arguments.ts';
import type { Session } from '../session.ts';
import { duration, grouped, secondsOf } from '../words.ts';

/** What the chain answers where prices are 0. */
const endless = 2n ** 63n - 1n;

export async function showRunway(session: Session, dseqText: string, ownerFlag: string | undefined): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const owner = ownerFlag ?? (await session.address());
  const client = await session.client();
  session.output.step('not verified: a computed answer is as the node says');
  const [runway, { params }, now] = await Promise.all([
    client.billing.runway({ owner, dseq }),
    client.market.params({}),
    client.height(),
  ]);
  const { height, pricePerBlock, time } = runway;
  const facts = { owner, dseq, height, price_per_block: pricePerBlock, time: time === undefined ? null : time };
  const text = (): string => inWords(runway, { now: BigInt(now), blocksPerYear: params?.blocksPerYear ?? 0n });
  const unit = height === 0n ? '' : ` (${session.config.denom}; usage comes on top)`;
  session.output.result(facts, () => `${text()}${unit}`);
}

/** `funds last until block 5,432, about 2026-11-22 10:00 UTC, in 1 day 3 h, at 42.5 per block`. */
export function inWords(
  { height, pricePerBlock, time }: QueryRunwayResponse,
  { now, blocksPerYear }: { readonly now: bigint; readonly blocksPerYear: bigint },
): string {
  if (height === 0n) return 'no lease is active: nothing is paid';
  if (height === endless) return 'funds last for ever: all leases are free of charge';
  const left = height > now ? height - now : 0n;
  const when = time === undefined ? '' : `about ${minuteOf(time)}, `;
  const price = `${grouped(Dec.fromAtomics(pricePerBlock))} per block`;
  return `funds last until block ${grouped(height)}, ${when}in ${duration(secondsOf(left, blocksPerYear))}, at ${price}`;
}

function minuteOf(time: NonNullable<QueryRunwayResponse['time']>): string {
  const iso = (time instanceof Date ? time : new Date(Number(time.seconds) * 1000)).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC`;
}
