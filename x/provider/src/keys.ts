/** Every key byte of x/provider's store. */
import { bytesKey, textKey, tupleKey, u64Key } from '@mu/framework/collections';
import { places } from '@mu/lib/state-keys';
import { unitPriceKey } from './unit-price.ts';

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
  providersByAttribute: 0x09,
  providersByPrice: 0x0a,
} as const;

/** (region, owner) */
export const regionOwnerKey = tupleKey<readonly [string, Uint8Array]>(textKey, bytesKey);
/** (key, value, owner) of an attribute */
export const attributeOwnerKey = tupleKey<readonly [string, string, Uint8Array]>(textKey, textKey, bytesKey);
/** (metric, unit price, owner) */
export const priceOwnerKey = tupleKey<readonly [string, bigint, Uint8Array]>(textKey, unitPriceKey, bytesKey);
/** (provider, auditor) */
export const attestationKey = tupleKey<readonly [Uint8Array, Uint8Array]>(bytesKey, bytesKey);
/** (unbonding height, owner) */
export const leavingKey = tupleKey<readonly [bigint, Uint8Array]>(u64Key, bytesKey);
