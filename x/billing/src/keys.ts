/** Every key byte of x/billing's store. */
import { places } from '@mu/lib/state-keys';

export const moduleName = 'billing';
export const storeName = 'billing';

/** First bytes of keys. */
export const prefixes = {
  params: 0x01,
  authority: 0x02,
  /** owner, dseq → EscrowAccount */
  escrow: places.escrow.prefix,
  /** owner, dseq, depositor → DepositorShare */
  share: 0x11,
  /** settle_height, owner, dseq: escrows that are closing, oldest first */
  closing: 0x12,
  /** lease, node_id → UsageRecord */
  usageRecord: 0x20,
  /** lease, metric → UsageTotal */
  usageTotal: 0x21,
  /** lease, line → BillLine */
  billLine: 0x30,
} as const;
