/**
 * From a stack to what is ordered on the chain (design §8, last paragraph): a pure function of the stack, the user's
 * choices and what the market looks like. Where the stack has no infrastructure, one named `main` is derived.
 */
import { Dec } from '@mu/lib/dec';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { ChoiceBook, type Chosen } from './choice-book.ts';
import { deriveMain } from './derive-main.ts';
import { deriveNamed } from './derive-named.ts';
import { type DerivedDeployment, DeriveError, type MarketFacts } from './derive-types.ts';
import { placementsOf } from './placements.ts';
import type { Stack } from './schema.ts';
import { greaterOf } from './units.ts';
import { limitPerBlock } from './usage-limits.ts';

/** The blocks that a deposit lasts beyond the reserve. */
export const depositBlocks = 10_000n;
/** A broken lease costs its provider what it would have earned in so many blocks. */
export const defaultCollateralBlocks = 100n;

/**
 * The order for a stack.
 * @throws DeriveError
 */
export function deriveDeployment(stack: Stack, chosen: Chosen, market: MarketFacts): DerivedDeployment {
  const book = new ChoiceBook(chosen);
  const collateralBlocks = book.of('collateralBlocks') ?? defaultCollateralBlocks;
  const collateral = (price: Dec): bigint => {
    const amount = price.mulInt(collateralBlocks).ceilInt();
    return market.maxCollateral > 0n && amount > market.maxCollateral ? market.maxCollateral : amount;
  };
  let infrastructure: DeploymentInfrastructure[];
  if (stack.infrastructure === undefined) {
    infrastructure = [deriveMain(stack, { market, book, collateral })];
  } else {
    if (book.isFlag('maxPrice')) {
      throw new DeriveError(
        'price_twice',
        'the stack names its prices in `infrastructure`: leave --max-price out, or change them there',
      );
    }
    infrastructure = deriveNamed(stack.infrastructure, stack, { market, book, collateral });
  }
  const pricePerBlock = infrastructure.reduce((sum, one) => sum.add(priceOf(one)), Dec.fromInt(0n));
  const reserve = reserveOf(infrastructure, market);
  const deposit = depositOf(book, { pricePerBlock, reserve, minDeposit: market.minDeposit });
  const placements = placementsOf(stack, book.of('share') ?? 'lease');
  return { infrastructure, placements, pricePerBlock, reserve, deposit, choices: book.noted };
}

function priceOf(one: DeploymentInfrastructure): Dec {
  return one.resources.reduce(
    (sum, group) => sum.add(Dec.fromAtomics(group.price).mulInt(BigInt(group.count))),
    Dec.fromInt(0n),
  );
}

/** min_runway_blocks × Σ price × count + Σ max_price × max_quantity_per_block × usage_window_blocks (design §5), rounded up. */
export function reserveOf(
  infrastructure: readonly DeploymentInfrastructure[],
  params: { readonly minRunwayBlocks: bigint; readonly usageWindowBlocks: bigint },
): bigint {
  let sum = Dec.fromInt(0n);
  for (const one of infrastructure) {
    sum = sum.add(priceOf(one).mulInt(params.minRunwayBlocks));
    for (const limit of one.usageLimits) sum = sum.add(limitPerBlock(limit).mulInt(params.usageWindowBlocks));
  }
  return sum.ceilInt();
}

function depositOf(
  book: ChoiceBook,
  of: { readonly pricePerBlock: Dec; readonly reserve: bigint; readonly minDeposit: bigint },
): bigint {
  const least = greaterOf(of.reserve, of.minDeposit);
  const derived = of.reserve + of.pricePerBlock.mulInt(depositBlocks).ceilInt();
  const deposit = book.of('deposit') ?? greaterOf(derived, least);
  if (deposit < least) {
    throw new DeriveError(
      'deposit_too_small',
      `a deposit of ${deposit} umu is too small; allowed: at least ${least} umu, the reserve of this deployment`,
    );
  }
  book.note(
    'deposit',
    `${deposit} umu`,
    book.source('--deposit', 'deposit') ?? `the reserve of ${of.reserve} umu and ${depositBlocks} blocks`,
  );
  return deposit;
}
