/** The bill of a deployment: the bills of all its leases, and that together they are what its escrow has spent. */
import type { EscrowAccount } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import type { BillLists, BillRecords } from './collect.ts';
import type { BillFault } from './errors.ts';
import { type BillCheck, verifyBill } from './verify.ts';

/** What was verified of a deployment's bill. */
export interface DeploymentBillCheck {
  readonly escrow: EscrowAccount;
  /** by number */
  readonly leases: readonly BillCheck[];
  /** umu that left the escrow by all lines, commission included */
  readonly amount: bigint;
  /** the first thing that is wrong, with its lease; lease 0: the sum of all */
  readonly fault: (BillFault & { readonly lease: bigint }) | undefined;
}

export interface DeploymentBillInput {
  readonly chainId: string;
  readonly owner: string;
  readonly dseq: bigint;
  readonly records: BillRecords;
  readonly lists: BillLists;
}

/**
 * Verifies every lease of a deployment. A lease that the lists leave out is missed in the sum: the escrow's `spent` is proved.
 * @returns undefined where there is no such deployment
 * @throws ChainError, LightError
 */
export async function verifyDeploymentBill(input: DeploymentBillInput): Promise<DeploymentBillCheck | undefined> {
  const { owner, dseq, records, lists } = input;
  const escrow = await records.escrow(owner, dseq);
  if (escrow === undefined) return undefined;
  const numbers = [...new Set(await lists.leasesOf(owner, dseq))].sort((a, b) => (a < b ? -1 : 1));
  const leases = await Promise.all(numbers.map((number) => verifyLease(input, number)));
  const amount = leases.reduce((sum, check) => sum + check.amount, 0n);
  const bad = leases.find(({ fault }) => fault !== undefined);
  const fault = bad?.fault === undefined ? sumFault(amount, escrow) : { ...bad.fault, lease: bad.lease };
  return { escrow, leases, amount, fault };
}

function sumFault(amount: bigint, { spent }: EscrowAccount): (BillFault & { lease: bigint }) | undefined {
  if (amount === BigInt(spent || '0')) return undefined;
  const reason = `all lines give ${amount}, the proved escrow has spent ${spent}: the bill of a lease is missing`;
  return { lease: 0n, line: 0n, field: 'spent', reason };
}

async function verifyLease(input: DeploymentBillInput, number: bigint): Promise<BillCheck> {
  const { chainId, owner, dseq, records, lists } = input;
  const lease = await records.lease(number);
  if (lease === undefined || lease.order?.owner !== owner || lease.order.dseq !== dseq) return foreign(number);
  // Lines come at the end: what has come since the proved record stands behind its last line.
  const count = Number(lease.billLines);
  const lines = count === 0 ? [] : (await lists.linesOf(number, count)).slice(0, count);
  // A name that no node can have makes no key; its line is found to be of no node.
  const names = [...new Set(lines.map(({ nodeId }) => nodeId))].filter((nodeId) => /^[a-z0-9-]{1,64}$/.test(nodeId));
  const [priceList, ...nodes] = await Promise.all([
    priceListOf(records, lease),
    ...names.map((nodeId) => records.node(lease.provider, nodeId)),
  ]);
  return verifyBill({ chainId, lease, priceList, nodes: nodes.filter((node) => node !== undefined), lines });
}

function priceListOf(
  records: BillRecords,
  { provider, priceListVersion }: Lease,
): ReturnType<BillRecords['priceList']> {
  return priceListVersion === 0n ? Promise.resolve(undefined) : records.priceList(provider, priceListVersion);
}

function foreign(lease: bigint): BillCheck {
  const reason = 'the node lists it, and it is proved that the deployment has no such lease';
  const nothing = { lines: 0, blocks: 0n, reports: 0, amount: 0n, commission: 0n, unpaid: 0n };
  return { lease, ...nothing, fault: { line: 0n, field: 'number', reason } };
}
