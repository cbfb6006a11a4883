/** A bill as text and as data: each line with all that it can be recomputed from. */

import { toHex } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { type BillLine, BillLineKind } from '@mu/proto/billing';
import { type Lease, LeaseState } from '@mu/proto/market';
import { orderName } from './order-name.ts';
import { grouped, wordOf } from './words.ts';

const plain = (atomics: string): string => grouped(Dec.fromAtomics(atomics === '' ? '0' : atomics));

/** All leases of a deployment and what they cost together. */
export function billText(
  bills: readonly { readonly lease: Lease | undefined; readonly lines: readonly BillLine[] }[],
  denom: string,
): string {
  if (bills.length === 0) return 'the deployment has no lease: nothing was billed';
  const parts = bills.map(({ lease, lines }) => [leaseHead(lease, denom), ...lines.map(lineText)].join('\n'));
  const total = bills.flatMap(({ lines }) => lines).reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  return [...parts, `in all ${grouped(total)} ${denom}`].join('\n\n');
}

function leaseHead(lease: Lease | undefined, denom: string): string {
  if (lease === undefined) return 'lease: gone';
  const { number, order, provider, pricePerBlock, state, priceListVersion } = lease;
  return [
    `lease ${number} of order ${orderName(order)}, ${wordOf(LeaseState, state)}`,
    `  with ${provider}: ${plain(pricePerBlock)} ${denom} per block, usage by its price list ${priceListVersion}`,
  ].join('\n');
}

function lineText(line: BillLine): string {
  const head = `  ${line.line}. blocks ${line.fromHeight}–${line.toHeight}: ${what(line)}`;
  const paid = `     ${paidText(line)}; block ${line.height}, ${evidence(line)}`;
  return [head, ...line.items.map(itemText), paid].join('\n');
}

function what(line: BillLine): string {
  if (line.kind === BillLineKind.BILL_LINE_KIND_USAGE) return `report ${line.sequence} of node ${line.nodeId}`;
  const blocks = line.toHeight - line.fromHeight + 1n;
  return `${blocks} × ${plain(line.pricePerBlock)} = ${plain(line.cost)}`;
}

function itemText({ service, metric, quantity, price, per, cost }: BillLine['items'][number]): string {
  const by = per === 1n ? '' : ` / ${grouped(per)}`;
  return `     ${service} ${metric}: ${grouped(quantity)} × ${plain(price)}${by} = ${plain(cost)}`;
}

function paidText({ amount, commission, unpaid, remainderBefore, remainderAfter }: BillLine): string {
  const carried = remainderBefore === '0' || remainderBefore === '' ? '' : ` with ${plain(remainderBefore)} carried`;
  const missing = unpaid === '0' ? '' : `, ${grouped(BigInt(unpaid))} without funds`;
  const rest = remainderAfter === '0' || remainderAfter === '' ? '' : `, ${plain(remainderAfter)} left over`;
  return `paid ${grouped(BigInt(amount))}${carried} (${grouped(BigInt(commission))} commission)${missing}${rest}`;
}

function evidence({ txHash }: BillLine): string {
  return txHash.length === 0 ? 'at the end of the block' : `transaction ${toHex(txHash).toUpperCase()}`;
}

/** For programs: as the .proto has it, hashes in hex, prices and costs in atomics of 10⁻¹⁸. */
export function lineFacts(line: BillLine): object {
  return {
    lease: line.lease,
    line: line.line,
    kind: wordOf(BillLineKind, line.kind),
    height: line.height,
    from_height: line.fromHeight,
    to_height: line.toHeight,
    price_per_block: line.pricePerBlock,
    items: line.items,
    node_id: line.nodeId,
    sequence: line.sequence,
    cost: line.cost,
    remainder_before: line.remainderBefore,
    remainder_after: line.remainderAfter,
    amount: line.amount,
    commission: line.commission,
    unpaid: line.unpaid,
    tx_hash: toHex(line.txHash).toUpperCase(),
    log_root: toHex(line.logRoot),
    signature: toHex(line.signature),
  };
}
