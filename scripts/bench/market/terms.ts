/**
 * What all deployments of the bench ask, and numbers and heights that have the same length at every size of the market:
 * gas counts the bytes of records, so anything that is longer in a larger market would look like a cost of its size.
 */
import { Dec } from '@mu/lib/dec';
import { DeploymentInfrastructure } from '@mu/proto/deployment';
import { defaultParams as marketDefaults } from '@mu/x-market/params';

/** Numbers of deployments, bids and leases begin here. */
export const firstNumber = 1_000_000_000n;
/** Height of the genesis. */
export const firstHeight = 1_000_000n;
/** When all that stands in the market was made. */
export const madeHeight = 800_000n;
/** So far leases are confirmed and paid. */
export const paidThrough = firstHeight - 1_000n;
/** A height that no block of a run comes to: what waits for it is not due. */
export const farHeight = 1_900_000n;

export const region = 'local';
export const nodeId = 'node-1';
export const metric = 'function-invocations';
export const endpoints = ['https://one.bench.example'];
/** Of an account at the start: the first of a run is as long as the last. */
export const firstSequence = 1_000n;
/** umu that an escrow was opened with, that one of a run is opened with, that an account has */
export const escrowed = 5_000_000_000n;
export const deposit = 100_000n;
export const funds = 5_000_000_000_000n;
/** umu that a bid locks, and a provider */
export const collateral = 1_000n;
export const providerDeposit = 100_000_000n;

export const umu = (text: string): string => Dec.fromString(text).atomicsString();

/** Whole umu for a block: a remainder would have one digit in one lease and eighteen in another. */
export const price = umu('5');
const usage = { metric, maxPrice: umu('20'), maxPricePer: 1_000n, maxQuantityPerBlock: 1_000n };

/** What each infrastructure asks; an order of the market carries it. */
export function infrastructure(name: string): DeploymentInfrastructure {
  const compute = { cpu: 100, memory: 134_217_728n, disk: 0n };
  return DeploymentInfrastructure.fromPartial({
    name,
    region,
    services: ['mu-function'],
    resources: [{ compute, price: umu('6'), collateral: `${collateral / 2n}`, count: 2 }],
    usageLimits: [usage],
    expectedUsage: [{ metric, quantityPerBlock: 10n }],
  });
}

/** Deadlines far away, so that a run makes due what it means to; room for a provider's part of the largest market. */
export const marketParams = {
  ...marketDefaults(),
  confirmationBlocks: 100_000n,
  reconfirmationBlocks: 100_000n,
  maxOpenBids: 1_000_000,
  maxActiveLeases: 1_000_000,
};
