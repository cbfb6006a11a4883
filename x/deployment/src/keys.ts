/** Every key byte of x/deployment's store. */
import { bytesKey, tupleKey, u32Key, u64Key } from '@mu/framework/collections';

export const moduleName = 'deployment';

export const prefixes = {
  params: 0x00,
  authority: 0x01,
  deployments: 0x02,
  lastDseq: 0x03,
  activeCount: 0x04,
  byState: 0x05,
} as const;

/** (owner, dseq) */
export const deploymentKey = tupleKey<readonly [Uint8Array, bigint]>(bytesKey, u64Key);
/** (state, owner, dseq) */
export const stateDeploymentKey = tupleKey<readonly [number, Uint8Array, bigint]>(u32Key, bytesKey, u64Key);
