/**
 * Where the records that clients ask proofs of stand: the store, the prefix byte and the layout of the key behind it. The
 * modules of x/ keep them there, a light client reads them; so both take them from here.
 */
import { concatBytes, utf8 } from './bytes.ts';
import { bytesKey, type KeyCodec, textKey, tupleKey, u32Key, u64Key } from './key-codecs.ts';

/** A kind of record. */
export interface RecordPlace<K> {
  readonly store: string;
  readonly prefix: number;
  readonly key: KeyCodec<K>;
}

/** An order's id as a key: owner's address bytes, dseq, infrastructure, round. */
export type OrderKey = readonly [owner: Uint8Array, dseq: bigint, infrastructure: number, round: number];

/** A deployment's id as a key. */
export type DeploymentKey = readonly [owner: Uint8Array, dseq: bigint];

export const orderKey = tupleKey<OrderKey>(bytesKey, u64Key, u32Key, u32Key);
export const deploymentKey = tupleKey<DeploymentKey>(bytesKey, u64Key);
/** (owner, version) */
export const priceListKey = tupleKey<readonly [Uint8Array, bigint]>(bytesKey, u64Key);
/** (owner, node id) */
export const nodeKey = tupleKey<readonly [Uint8Array, string]>(bytesKey, textKey);

function place<K>(store: string, prefix: number, key: KeyCodec<K>): RecordPlace<K> {
  return { store, prefix, key };
}

/** The records by name. */
export const places = {
  order: place('market', 0x10, orderKey),
  fulfillment: place('market', 0x20, u64Key),
  lease: place('market', 0x30, u64Key),
  deployment: place('deployment', 0x02, deploymentKey),
  lastDseq: place('deployment', 0x03, bytesKey),
  provider: place('provider', 0x02, bytesKey),
  priceList: place('provider', 0x04, priceListKey),
  node: place('provider', 0x05, nodeKey),
  escrow: place('billing', 0x10, deploymentKey),
} as const;

/** The key's bytes in its store. */
export function recordKey<K>({ prefix, key }: RecordPlace<K>, value: K): Uint8Array {
  return concatBytes(Uint8Array.of(prefix), key.encode(value));
}

/** Store of the accounts; the SDK's name for auth. */
export const accountStore = 'acc';

/** In store `acc`: 0x01 ‖ address → Any of an account. @param address raw bytes */
export function accountKey(address: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + address.length);
  key[0] = 1;
  key.set(address, 1);
  return key;
}

export const bankStore = 'bank';

/** In store `bank`: 0x02 ‖ length of the address ‖ address ‖ denomination → amount as decimal text. */
export function balanceKey(address: Uint8Array, denom: string): Uint8Array {
  const name = utf8(denom);
  const key = new Uint8Array(2 + address.length + name.length);
  key[0] = 2;
  key[1] = address.length;
  key.set(address, 2);
  key.set(name, 2 + address.length);
  return key;
}

/** In store `bank`: 0x00 ‖ denomination → amount as decimal text. */
export function supplyKey(denom: string): Uint8Array {
  return concatBytes(Uint8Array.of(0), utf8(denom));
}
