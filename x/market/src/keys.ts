/** Every key of the market's store: one prefix byte, then parts of fixed width or behind their length. */
import { bytesKey, type KeyCodec, textKey, tupleKey, u32Key, u64Key } from '@mu/framework/collections';
import { type DeploymentKey, type OrderKey, places } from '@mu/lib/state-keys';

export { type DeploymentKey, type OrderKey, orderKey } from '@mu/lib/state-keys';

/** Name of the module, of its store and of its account. */
export const moduleName = 'market';

/** First bytes of the keys; README.md says what stands behind each. */
export const prefixes = {
  params: 0x01,
  authority: 0x02,
  lastFulfillment: 0x03,
  lastLease: 0x04,
  interest: 0x05,
  orders: places.order.prefix,
  openOrdersByRegion: 0x11,
  openOrders: 0x12,
  dueOrders: 0x13,
  fulfillments: places.fulfillment.prefix,
  openBidsByTotal: 0x21,
  openBidsByProvider: 0x22,
  fulfillmentsByOrder: 0x23,
  fulfillmentsByProvider: 0x24,
  openBidCount: 0x25,
  leases: places.lease.prefix,
  leasesByProvider: 0x31,
  leasesByDeployment: 0x32,
  liveLeasesByProvider: 0x33,
  liveLeasesByDeployment: 0x34,
  confirmBy: 0x35,
  graceUntil: 0x36,
  liveLeaseCount: 0x37,
} as const;

/** Atomics of a total in 24 bytes, big-endian: a Dec has at most 180 bits, so byte order is the order of totals. */
export const totalKey: KeyCodec<bigint> = {
  encode(value) {
    if (value < 0n || value >= 2n ** 192n) throw new RangeError(`not a total: ${value}`);
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    for (let word = 2; word >= 0; word -= 1) {
      view.setBigUint64(word * 8, BigInt.asUintN(64, value >> BigInt((2 - word) * 64)));
    }
    return bytes;
  },
  decode(bytes, at) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 24);
    return [(view.getBigUint64(0) << 128n) | (view.getBigUint64(8) << 64n) | view.getBigUint64(16), at + 24];
  },
};

export const regionOrderKey = tupleKey<readonly [region: string, ...OrderKey]>(
  textKey,
  bytesKey,
  u64Key,
  u32Key,
  u32Key,
);
export const dueOrderKey = tupleKey<readonly [due: bigint, ...OrderKey]>(u64Key, bytesKey, u64Key, u32Key, u32Key);
export const orderTotalKey = tupleKey<readonly [...OrderKey, total: bigint, number: bigint]>(
  bytesKey,
  u64Key,
  u32Key,
  u32Key,
  totalKey,
  u64Key,
);
export const providerOrderKey = tupleKey<readonly [provider: Uint8Array, ...OrderKey, number: bigint]>(
  bytesKey,
  bytesKey,
  u64Key,
  u32Key,
  u32Key,
  u64Key,
);
export const orderNumberKey = tupleKey<readonly [...OrderKey, number: bigint]>(
  bytesKey,
  u64Key,
  u32Key,
  u32Key,
  u64Key,
);
export const providerNumberKey = tupleKey<readonly [provider: Uint8Array, number: bigint]>(bytesKey, u64Key);
export const deploymentNumberKey = tupleKey<readonly [...DeploymentKey, number: bigint]>(bytesKey, u64Key, u64Key);
export const heightNumberKey = tupleKey<readonly [height: bigint, number: bigint]>(u64Key, u64Key);
