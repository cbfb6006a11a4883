/** Parameters of deployments: caps on every list that a user owns. */
import { parseAmount } from '@mu/lib/amounts';
import { Params } from '@mu/proto/deployment';
import { errParams } from './errors.ts';

export function defaultParams(): Params {
  return Params.fromPartial({
    maxInfrastructures: 16,
    maxResources: 16,
    maxUsageLimits: 32,
    maxAttributes: 32,
    maxAccessKeys: 16,
    maxExcludedProviders: 32,
    maxActiveDeployments: 1_000,
    maxNameBytes: 64,
    maxCount: 1_000,
    maxSealedManifestBytes: 32_768,
    maxWaitBlocks: 10_000n,
    sealedManifestFeePerByte: '10',
  });
}

const bounds = [
  ['maxInfrastructures', 1, 100],
  ['maxResources', 1, 100],
  ['maxUsageLimits', 0, 1_000],
  ['maxAttributes', 0, 1_000],
  ['maxAccessKeys', 0, 1_000],
  ['maxExcludedProviders', 0, 1_000],
  ['maxActiveDeployments', 1, 1_000_000],
  ['maxNameBytes', 1, 255],
  ['maxCount', 1, 1_000_000],
  ['maxSealedManifestBytes', 0, 65_536],
] as const;

/** @throws AbciError with the name of what is wrong */
export function validateParams(params: Params): void {
  for (const [field, least, most] of bounds) {
    if (params[field] < least || params[field] > most) throw errParams.wrap(`${field} is from ${least} to ${most}`);
  }
  if (params.maxWaitBlocks < 0n || params.maxWaitBlocks > 3_155_760_000n)
    throw errParams.wrap('max_wait_blocks is out of bounds');
  try {
    parseAmount(params.sealedManifestFeePerByte);
  } catch {
    throw errParams.wrap('sealed_manifest_fee_per_byte is not an amount');
  }
}
