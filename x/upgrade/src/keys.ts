/** Every key of the store `upgrade`, byte by byte the SDK's (x/upgrade/types/keys.go). */
import { concatBytes, fromUtf8, readU64be, u64be, utf8 } from '@mu/lib/bytes';

export const moduleName = 'upgrade';
export const storeName = 'upgrade';

/** → cosmos.upgrade.v1beta1.Plan */
export const planKey = Uint8Array.of(0);
/** 0x01 ‖ height ‖ name → 0x01 */
export const donePrefix = Uint8Array.of(1);
/** 0x02 ‖ module name → its consensus version, u64 big-endian */
export const versionPrefix = Uint8Array.of(2);
/** → how many upgrades were applied, u64 big-endian */
export const protocolVersionKey = Uint8Array.of(3);

export function doneKey(name: string, height: bigint): Uint8Array {
  return concatBytes(donePrefix, u64be(height), utf8(name));
}

export function parseDoneKey(key: Uint8Array): { readonly name: string; readonly height: bigint } {
  return { height: readU64be(key, 1), name: fromUtf8(key.slice(9)) };
}

export function versionKey(module: string): Uint8Array {
  return concatBytes(versionPrefix, utf8(module));
}

/** Where a plan's IBC client stood in older chains; it is deleted with the plan. */
export function upgradedClientKey(height: bigint): Uint8Array {
  return utf8(`upgradedIBCState/${height}/upgradedClient`);
}

export function upgradedConsensusStateKey(height: bigint): Uint8Array {
  return utf8(`upgradedIBCState/${height}/upgradedConsState`);
}
