/** Every key byte of x/deployment's store. */
import { bytesKey, tupleKey, u32Key, u64Key } from '@mu/framework/collections';
import { places } from '@mu/lib/state-keys';

export { deploymentKey } from '@mu/lib/state-keys';

export const moduleName = 'deployment';

/** The account that collects what transactions pay to the validators. */
export const feeCollector = 'fee_collector';

export const prefixes = {
  params: 0x00,
  authority: 0x01,
  deployments: places.deployment.prefix,
  lastDseq: places.lastDseq.prefix,
  activeCount: 0x04,
  byState: 0x05,
} as const;

/** (state, owner, dseq) */
export const stateDeploymentKey = tupleKey<readonly [number, Uint8Array, bigint]>(u32Key, bytesKey, u64Key);
