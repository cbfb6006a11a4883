/** Parameters of the registry: defaults that suit a first network, and what they must satisfy. */
import { isDenom, parseAmount } from '@mu/lib/amounts';
import { type Metric, Params } from '@mu/proto/provider';
import { errParams } from './errors.ts';

const mib = 1_048_576n;
const gib = 1024n * mib;

const metric = (name: string, service: string, maxPerBlock: bigint, unit: string): Metric => ({
  name,
  service,
  maxPerBlock,
  unit,
});

/** Bounds of one lease in one block of a second, far above what a machine of today does. */
const metrics: readonly Metric[] = [
  metric('database-byte-blocks', 'mu-db', 1024n * gib, 'bytes stored for a block'),
  metric('database-reads', 'mu-db', 1_000_000n, 'reads'),
  metric('database-writes', 'mu-db', 1_000_000n, 'writes'),
  metric('egress-bytes', 'mu-workload', 10n * gib, 'bytes'),
  metric('function-invocations', 'mu-function', 1_000_000n, 'calls'),
  metric('function-megabyte-instructions', 'mu-function', 1_000_000_000_000_000_000n, 'megabytes × instructions'),
  metric('function-megabyte-milliseconds', 'mu-function', 4_194_304_000n, 'megabytes × milliseconds'),
  metric('gateway-bytes', 'mu-gateway', 10n * gib, 'bytes'),
  metric('gateway-requests', 'mu-gateway', 1_000_000n, 'requests'),
  metric('storage-byte-blocks', 'mu-store', 1024n * gib, 'bytes stored for a block'),
  metric('storage-requests', 'mu-store', 1_000_000n, 'requests'),
  metric('tunnel-bytes', 'mu-workload', 10n * gib, 'bytes'),
];

export function defaultParams(): Params {
  return Params.fromPartial({
    deposit: { denom: 'umu', amount: '100000000' },
    unbondingBlocks: 600n,
    regions: ['local'],
    services: ['mu-db', 'mu-function', 'mu-gateway', 'mu-workload'],
    metrics: [...metrics],
    maxNodes: 1_000,
    maxOperators: 16,
    maxRoots: 4,
    maxEncryptionKeys: 4,
    maxAttributes: 64,
    maxPrices: 64,
    maxPriceLists: 10_000n,
  });
}

/** Names of regions, services and metrics. */
export const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** 100 years of one-second blocks: heights never overflow. */
const maxBlocks = 3_155_760_000n;

/** @throws AbciError with the name of what is wrong */
export function validateParams(params: Params): void {
  const { deposit, regions, services, unbondingBlocks } = params;
  if (deposit === undefined || !isDenom(deposit.denom)) throw errParams.wrap('deposit is no coin');
  requireAmount(deposit.amount);
  if (unbondingBlocks < 1n || unbondingBlocks > maxBlocks)
    throw errParams.wrap(`unbonding_blocks is from 1 to ${maxBlocks}`);
  requireNames('regions', regions, 1);
  requireNames('services', services, 1);
  requireNames(
    'metrics',
    params.metrics.map(({ name }) => name),
    0,
  );
  for (const field of [
    'maxNodes',
    'maxOperators',
    'maxRoots',
    'maxEncryptionKeys',
    'maxAttributes',
    'maxPrices',
  ] as const) {
    if (params[field] < 1 || params[field] > 1_000_000) throw errParams.wrap(`${field} is from 1 to 1000000`);
  }
  if (params.maxPriceLists < 1n) throw errParams.wrap('max_price_lists is at least 1');
}

function requireAmount(amount: string): void {
  try {
    parseAmount(amount);
  } catch {
    throw errParams.wrap('deposit is an amount of at most 256 bits');
  }
}

/** A deposit in another coin than the chain's could not be told apart in the module account. */
export function requireDenom({ deposit }: Pick<Params, 'deposit'>, denom: string): void {
  if (deposit?.denom !== denom)
    throw errParams.wrap(`the deposit is in ${deposit?.denom}, the chain’s denomination is ${denom}`);
}

function requireNames(field: string, names: readonly string[], least: number): void {
  if (names.length < least) throw errParams.wrap(`${field} has at least ${least} entry`);
  if (names.length > 1_000) throw errParams.wrap(`${field} has at most 1000 entries`);
  if (new Set(names).size !== names.length) throw errParams.wrap(`${field} names one twice`);
  for (const name of names) {
    if (!namePattern.test(name)) throw errParams.wrap(`${field}: "${name}" is not made of a-z, 0-9, ., _ and -`);
  }
}
