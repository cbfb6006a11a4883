/** The typed state of x/billing. Addresses stand in keys as raw bytes, in records as bech32. */
import {
  bytesKey,
  Collection,
  Item,
  KeySet,
  type MessageCodec,
  textKey,
  tupleKey,
  u64Key,
} from '@mu/framework/collections';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { deploymentKey } from '@mu/lib/state-keys';
import { BillLine, DepositorShare, EscrowAccount, Params, UsageRecord, UsageTotal } from '@mu/proto/billing';
import { prefixes, storeName } from './keys.ts';

/** (owner, dseq): names a deployment and its escrow. */
export type EscrowKey = readonly [owner: Uint8Array, dseq: bigint];
export type ShareKey = readonly [owner: Uint8Array, dseq: bigint, depositor: Uint8Array];
export type ClosingKey = readonly [settleHeight: bigint, owner: Uint8Array, dseq: bigint];

/** A bare text as a record. */
const textCodec: MessageCodec<string> = {
  encode: (text) => ({ finish: () => utf8(text) }),
  decode: fromUtf8,
};

export const params = new Item<Params>(storeName, prefixes.params, Params);
export const authority = new Item<string>(storeName, prefixes.authority, textCodec);
export const escrows = new Collection<EscrowKey, EscrowAccount>(
  storeName,
  prefixes.escrow,
  deploymentKey,
  EscrowAccount,
);
export const shares = new Collection<ShareKey, DepositorShare>(
  storeName,
  prefixes.share,
  tupleKey(bytesKey, u64Key, bytesKey),
  DepositorShare,
);
export const closing = new KeySet<ClosingKey>(storeName, prefixes.closing, tupleKey(u64Key, bytesKey, u64Key));
export const usageRecords = new Collection<readonly [lease: bigint, nodeId: string], UsageRecord>(
  storeName,
  prefixes.usageRecord,
  tupleKey(u64Key, textKey),
  UsageRecord,
);
export const usageTotals = new Collection<readonly [lease: bigint, metric: string], UsageTotal>(
  storeName,
  prefixes.usageTotal,
  tupleKey(u64Key, textKey),
  UsageTotal,
);
export const billLines = new Collection<readonly [lease: bigint, line: bigint], BillLine>(
  storeName,
  prefixes.billLine,
  tupleKey(u64Key, u64Key),
  BillLine,
);
