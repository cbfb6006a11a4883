/** Every key byte of x/provider's store. */
import { bytesKey, textKey, tupleKey, u64Key } from '@mu/framework/collections';
import { places } from '@mu/lib/state-keys';

export { nodeKey, priceListKey } from '@mu/lib/state-keys';

export const moduleName = 'provider';

export const prefixes = {
  params: 0x00,
  authority: 0x01,
  providers: places.provider.prefix,
  providersByRegion: 0x03,
  priceLists: places.priceList.prefix,
  nodes: places.node.prefix,
  nodeCount: 0x06,
  attestations: 0x07,
  leaving: 0x08,
} as const;

/** (region, owner) */
export const regionOwnerKey = tupleKey<readonly [string, Uint8Array]>(textKey, bytesKey);
/** (provider, auditor) */
export const attestationKey = tupleKey<readonly [Uint8Array, Uint8Array]>(bytesKey, bytesKey);
/** (unbonding height, owner) */
export const leavingKey = tupleKey<readonly [bigint, Uint8Array]>(u64Key, bytesKey);
