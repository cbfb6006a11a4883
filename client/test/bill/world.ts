/** A bill as a chain would write it, made without the code that checks it: of blocks and of two nodes' reports. */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { emptyBillHash, extendBillHash } from '@mu/lib/bill-hash';
import { usageSignBytes } from '@mu/lib/sign-bytes';
import { BillLine, BillLineKind, UsageReport } from '@mu/proto/billing';
import { CloseReason, Lease, LeaseState } from '@mu/proto/market';
import { Node, PriceList } from '@mu/proto/provider';
import type { LeaseBill } from '../../src/bill/walk.ts';

export const chainId = 'mu-test-1';
export const provider = 'mu1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5x4pvjg';
const unit = 10n ** 18n;

/** An Ed25519 key from a seed (PKCS #8 of RFC 8410). */
export function keyOf(seed: number): { readonly key: KeyObject; readonly publicKey: Buffer } {
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${Buffer.alloc(32, seed).toString('hex')}`, 'hex');
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return { key, publicKey: createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32) };
}

export const keys: Readonly<Record<string, ReturnType<typeof keyOf>>> = { east: keyOf(1), west: keyOf(2) };

/** What a line pays, in the words of its payment. */
interface Paying {
  readonly height: bigint;
  readonly cost: bigint;
  /** umu that the escrow holds */
  readonly funds?: bigint;
}

export class BillMaker {
  readonly lines: BillLine[] = [];
  readonly #limits = [
    { metric: 'egress-bytes', maxPrice: (9n * unit).toString(), maxPricePer: 10n, maxQuantityPerBlock: 1_000n },
    { metric: 'invocations', maxPrice: unit.toString(), maxPricePer: 1n, maxQuantityPerBlock: 1_000n },
  ];
  readonly priceList = PriceList.fromPartial({
    provider,
    version: 2n,
    prices: [
      { metric: 'egress-bytes', price: (5n * unit).toString(), per: 7n },
      { metric: 'reads', price: unit.toString(), per: 1n },
    ],
  });
  readonly price = (3n * unit) / 2n + 1n;
  remainder = 0n;
  paid = 0n;
  commission = 0n;
  blocks = 0n;
  through = 100n;
  readonly #sequences = new Map<string, bigint>();
  readonly #ends = new Map<string, bigint>();

  blocksTo(height: bigint, funds?: bigint): this {
    const cost = this.price * (height - this.through);
    const line = {
      ...this.#common(funds === undefined ? { height, cost } : { height, cost, funds }),
      kind: BillLineKind.BILL_LINE_KIND_LEASE,
      fromHeight: this.through + 1n,
      toHeight: height,
      pricePerBlock: this.price.toString(),
    };
    if (line.unpaid === '0') this.blocks += height - this.through;
    this.through = height;
    return this.#add(line);
  }

  /** A report of a node up to a block, taken in another. */
  report(nodeId: string, toHeight: bigint, height: bigint, egress = 100n): this {
    const sequence = (this.#sequences.get(nodeId) ?? 0n) + 1n;
    const fromHeight = (this.#ends.get(nodeId) ?? 100n) + 1n;
    this.#sequences.set(nodeId, sequence);
    this.#ends.set(nodeId, toHeight);
    const cost = (egress * 5n * unit) / 7n;
    const items = [
      { service: 'api', metric: 'egress-bytes', quantity: egress, price: `${5n * unit}`, per: 7n, cost: `${cost}` },
      { service: 'api', metric: 'invocations', quantity: 3n, price: '0', per: 1n, cost: '0' },
      { service: 'web', metric: 'reads', quantity: 9n, price: '0', per: 1n, cost: '0' },
    ];
    const report = { lease: 7n, nodeId, sequence, fromHeight, toHeight, logRoot: Buffer.alloc(32, 5) };
    const { common, signature } = this.#signed(nodeId, report, items, { height, cost });
    return this.#add({ ...common, ...report, kind: BillLineKind.BILL_LINE_KIND_USAGE, items, signature });
  }

  #signed(nodeId: string, report: object, items: readonly object[], paying: Paying) {
    const bare = items.map((item) => {
      const { service, metric, quantity } = item as BillLine['items'][number];
      return { service, metric, quantity };
    });
    const bytes = UsageReport.encode(UsageReport.fromPartial({ ...report, items: bare })).finish();
    const { key } = keys[nodeId] as ReturnType<typeof keyOf>;
    return { common: this.#common(paying), signature: sign(null, usageSignBytes(chainId, bytes), key) };
  }

  #common({ height, cost, funds }: Paying) {
    const total = cost + this.remainder;
    const whole = total / unit;
    const amount = funds === undefined || whole <= funds ? whole : funds;
    const commission = amount / 20n;
    const before = this.remainder;
    this.remainder = amount === whole ? total % unit : 0n;
    this.paid += amount - commission;
    this.commission += commission;
    return {
      lease: 7n,
      line: BigInt(this.lines.length + 1),
      height,
      cost: cost.toString(),
      remainderBefore: before.toString(),
      remainderAfter: this.remainder.toString(),
      amount: amount.toString(),
      commission: commission.toString(),
      unpaid: (whole - amount).toString(),
      txHash: Buffer.alloc(32, Number(height % 256n)),
    };
  }

  #add(line: Partial<BillLine>): this {
    this.lines.push(BillLine.fromPartial(line));
    return this;
  }

  /** The lease as the chain has it after the lines, and what else is proved. */
  bill(parts: Partial<Lease> = {}): LeaseBill {
    const lease = Lease.fromPartial({
      number: 7n,
      order: { owner: 'mu1owner', dseq: 4n, infrastructure: 0, round: 1 },
      provider,
      pricePerBlock: this.price.toString(),
      priceListVersion: 2n,
      usageLimits: this.#limits,
      state: LeaseState.LEASE_STATE_ACTIVE,
      closeReason: CloseReason.CLOSE_REASON_UNSPECIFIED,
      createdHeight: 100n,
      paidThrough: this.through,
      confirmedBlocks: this.blocks,
      remainder: this.remainder.toString(),
      paid: this.paid.toString(),
      commission: this.commission.toString(),
      billLines: BigInt(this.lines.length),
      billHash: Buffer.from(hashOf(this.lines)),
      ...parts,
    });
    const nodes = Object.entries(keys).map(([nodeId, { publicKey }]) =>
      Node.fromPartial({ provider, nodeId, publicKey, validFromHeight: 1n, validToHeight: 1_000n }),
    );
    return { chainId, lease, priceList: this.priceList, nodes, lines: this.lines };
  }
}

export function hashOf(lines: readonly BillLine[]): Uint8Array {
  return lines.reduce((hash, line) => extendBillHash(hash, BillLine.encode(line).finish()), emptyBillHash());
}

/** Three lines of blocks, reports of two nodes between them, and what is below one umu carried through all. */
export function usual(): BillMaker {
  return new BillMaker()
    .blocksTo(101n)
    .report('east', 103n, 104n)
    .blocksTo(110n)
    .report('west', 110n, 111n, 33n)
    .report('east', 111n, 111n)
    .blocksTo(120n);
}
