/** Parameters of the exchange: defaults that suit blocks of one second, and what they must satisfy. */
import { parseAmount } from '@mu/lib/amounts';
import { Dec } from '@mu/lib/dec';
import { Params } from '@mu/proto/market';
import { errParams } from './errors.ts';

/** Parameters of a genesis that says nothing else. */
export function defaultParams(): Params {
  return Params.fromPartial({
    minAuctionBlocks: 3n,
    maxBidsPerOrder: 32,
    maxOpenBids: 1_000,
    maxActiveLeases: 10_000,
    confirmationBlocks: 30n,
    reconfirmationBlocks: 30n,
    maxInjectedItems: 100,
    maxInjectedCost: 5_000,
    collateralUserShare: Dec.one.atomicsString(),
    youngLeaseBlocks: 100n,
    leaveNoticeBlocks: 600n,
    graceBlocks: 600n,
    manifestTimeoutBlocks: 60n,
    interestRate: '0',
    maxInterestPerYear: '0',
    blocksPerYear: 31_557_600n,
    maxEndpoints: 4,
    maxEndpointBytes: 128,
    maxConfirmations: 500,
    maxCollateral: '1000000000000',
  });
}

/** The greatest number of blocks a parameter may say: 100 years of one-second blocks, so that heights never overflow. */
const maxBlocks = 3_155_760_000n;

/** [field, least, greatest] */
const blockBounds = [
  ['minAuctionBlocks', 3n, maxBlocks],
  ['confirmationBlocks', 1n, maxBlocks],
  ['reconfirmationBlocks', 1n, maxBlocks],
  ['youngLeaseBlocks', 0n, maxBlocks],
  ['leaveNoticeBlocks', 1n, maxBlocks],
  ['graceBlocks', 1n, maxBlocks],
  ['manifestTimeoutBlocks', 1n, maxBlocks],
  ['blocksPerYear', 1n, maxBlocks],
] as const;

const countBounds = [
  ['maxBidsPerOrder', 1, 1_000],
  ['maxOpenBids', 1, 1_000_000],
  ['maxActiveLeases', 1, 1_000_000],
  ['maxInjectedItems', 1, 10_000],
  ['maxInjectedCost', 2, 1_000_000],
  ['maxEndpoints', 1, 16],
  ['maxEndpointBytes', 16, 1_024],
  ['maxConfirmations', 1, 500],
] as const;

/** @throws AbciError parameters (37) with the name of the first one that is wrong */
export function validateParams(params: Params): void {
  for (const [field, least, greatest] of blockBounds) {
    if (params[field] < least || params[field] > greatest) {
      throw errParams.wrap(`${snake(field)} is ${params[field]}, not ${least} to ${greatest}`);
    }
  }
  for (const [field, least, greatest] of countBounds) {
    if (params[field] < least || params[field] > greatest) {
      throw errParams.wrap(`${snake(field)} is ${params[field]}, not ${least} to ${greatest}`);
    }
  }
  if (params.maxInjectedCost < params.maxBidsPerOrder + 1) {
    throw errParams.wrap('max_injected_cost must reach for one order with max_bids_per_order bids');
  }
  const share = decParam(params.collateralUserShare, 'collateral_user_share');
  if (share.isNegative() || share.gt(Dec.one)) throw errParams.wrap('collateral_user_share is not 0 to 1');
  const rate = decParam(params.interestRate, 'interest_rate');
  if (rate.isNegative() || rate.gt(Dec.one)) throw errParams.wrap('interest_rate is not 0 to 1');
  amountParam(params.maxInterestPerYear, 'max_interest_per_year');
  amountParam(params.maxCollateral, 'max_collateral');
}

function decParam(text: string, name: string): Dec {
  try {
    return Dec.fromAtomics(text);
  } catch {
    throw errParams.wrap(`${name} is not a decimal`);
  }
}

function amountParam(text: string, name: string): bigint {
  try {
    return parseAmount(text);
  } catch {
    throw errParams.wrap(`${name} is not an amount`);
  }
}

function snake(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
