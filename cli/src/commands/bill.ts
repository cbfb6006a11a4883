/** mucli bill DSEQ, mucli bill verify DSEQ: what was paid, for what, and whether it is right. */
import { type BillRecords, believedRecords, listsOf } from '@mu/client/bill/collect';
import { type DeploymentBillCheck, verifyDeploymentBill } from '@mu/client/bill/deployment';
import type { BillCheck } from '@mu/client/bill/verify';
import type { BillLine } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import { wholeNumber } from '../arguments.ts';
import { billText, lineFacts } from '../bill-text.ts';
import { CliError, exitCodes } from '../errors.ts';
import type { Session } from '../session.ts';
import { counted, grouped } from '../words.ts';

/** Every line of every lease, with its evidence. */
export async function showBill(session: Session, dseqText: string, ownerFlag: string | undefined): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const owner = ownerFlag ?? (await session.address());
  const client = await session.client();
  const lists = listsOf(client);
  const numbers = await lists.leasesOf(owner, dseq);
  session.output.step(`not verified: lines are as the node says; \`mucli bill verify ${dseq}\` recomputes them`);
  const bills = await Promise.all(
    numbers.map(async (number): Promise<{ lease: Lease | undefined; lines: BillLine[] }> => {
      const [{ lease }, lines] = await Promise.all([client.market.lease({ number }), lists.linesOf(number)]);
      return { lease, lines };
    }),
  );
  const facts = { owner, dseq, lines: bills.flatMap(({ lines }) => lines.map(lineFacts)) };
  session.output.result(facts, () => billText(bills, session.config.denom));
}

/** Recomputes the bill; ends with the code for what cannot be proved where something is wrong. */
export async function verifyBill(session: Session, dseqText: string, ownerFlag: string | undefined): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const owner = ownerFlag ?? (await session.address());
  const client = await session.client();
  const { records, height } = await recordsOf(session);
  const lists = listsOf(client);
  const check = await verifyDeploymentBill({ chainId: client.chainId, owner, dseq, records, lists });
  if (check === undefined) throw new CliError(`deployment ${owner}/${dseq} does not exist: check DSEQ and --owner`);
  const { fault, leases, amount } = check;
  const facts = { owner, dseq, height, verified: fault === undefined, amount, fault, leases };
  session.output.result(facts, () => checkText(session, check, height));
  if (fault !== undefined) process.exitCode = exitCodes.unproved;
}

/** Records of one block, proved; or as the node tells them where it is believed. */
async function recordsOf(session: Session): Promise<{ records: BillRecords; height: bigint | undefined }> {
  const pinned = await session.pinned();
  if (pinned !== undefined) return { records: pinned.state, height: pinned.height };
  return { records: believedRecords(await session.client()), height: undefined };
}

function checkText(
  session: Session,
  { leases, amount, fault }: DeploymentBillCheck,
  height: bigint | undefined,
): string {
  const { denom } = session.config;
  const proved = height === undefined ? 'as the node tells them (trust_node)' : `proved as of block ${grouped(height)}`;
  const head = `leases, price lists, nodes and escrow are ${proved}; the lines are recomputed from them`;
  const total =
    fault === undefined
      ? [`all leases together: ${grouped(amount)} ${denom}, which is what the escrow has spent`, 'nothing is wrong']
      : [`wrong: ${placeOf(fault)}: ${fault.reason}`];
  return [head, ...leases.map((check) => leaseText(check, denom)), ...total].join('\n');
}

function placeOf({ lease, line, field }: NonNullable<DeploymentBillCheck['fault']>): string {
  if (lease === 0n) return `the sum of all leases, ${field}`;
  return line === 0n ? `lease ${lease}, ${field}` : `lease ${lease}, line ${line}, ${field}`;
}

function leaseText(check: BillCheck, denom: string): string {
  const { lease, lines, blocks, reports, amount, commission, unpaid, fault } = check;
  if (fault !== undefined) return `lease ${lease}: right up to line ${lines}, then one thing is not`;
  const missing = unpaid === 0n ? '' : `, ${grouped(unpaid)} had no funds and are not owed`;
  return [
    `lease ${lease}: ${counted(lines, 'line')} in the chain of hashes; ${grouped(blocks)} blocks, ${counted(reports, 'report')} signed by its node,`,
    `  costs at the lease's prices; ${grouped(amount)} ${denom} paid, ${grouped(commission)} of it commission${missing}`,
  ].join('\n');
}
