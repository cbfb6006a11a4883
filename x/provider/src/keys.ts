/** Every key byte of x/provider's store. */
import { bytesKey, textKey, tupleKey, u64Key } from '@mu/framework/collections';

export const moduleName = 'provider';

export const prefixes = {
  params: 0x00,
  authority: 0x01,
  providers: 0x02,
  providersByRegion: 0x03,
  priceLists: 0x04,
  nodes: 0x05,
  nodeCount: 0x06,
  attestations: 0x07,
  leaving: 0x08,
} as const;

/** (region, owner) */
export const regionOwnerKey = tupleKey<readonly [string, Uint8Array]>(textKey, bytesKey);
/** (owner, version) */
export const priceListKey = tupleKey<readonly [Uint8Array, bigint]>(bytesKey, u64Key);
/** (provider, auditor) */
export const attestationKey = tupleKey<readonly [Uint8Array, Uint8Array]>(bytesKey, bytesKey);
/** (unbonding height, owner) */
export const leavingKey = tupleKey<readonly [bigint, Uint8Array]>(u64Key, bytesKey);
/** (owner, node id) */
export const nodeKey = tupleKey<readonly [Uint8Array, string]>(bytesKey, textKey);
