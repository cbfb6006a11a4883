/** mucli deployment status | metrics: how a deployment stands, from the chain and its providers. */

import { type DeploymentView, isLive, viewDeployment } from '@mu/client/deployment/follow';
import { type LeaseMetricsAnswer, leaseMetrics, leaseStatus } from '@mu/client/provider/provider-client';
import { table } from '@mu/lib/columns';
import { messageOf } from '@mu/lib/error-message';
import { DeploymentState } from '@mu/proto/deployment';
import { wholeNumber } from '../arguments.ts';
import { CliError } from '../errors.ts';
import { doorOf, doorsOf, plain } from '../provider-connection.ts';
import { marksOf } from '../rotate.ts';
import type { Session } from '../session.ts';
import { isOpen, type LeaseStanding, statusText } from '../status-text.ts';
import { bytesText, wordOf } from '../words.ts';

export interface OwnerFlag {
  readonly owner?: string;
}

/** Whose deployment: named, or one's own. */
export async function deploymentOf(
  session: Session,
  dseqText: string,
  { owner }: OwnerFlag,
): Promise<{ owner: string; dseq: bigint }> {
  return { owner: owner ?? (await session.address()), dseq: wholeNumber(dseqText, 'DSEQ') };
}

export async function showStatus(session: Session, dseqText: string, flags: OwnerFlag): Promise<void> {
  const of = await deploymentOf(session, dseqText, flags);
  const client = await session.client();
  const [{ deployment }, view] = await Promise.all([
    client.deployment.deployment(of),
    viewDeployment(client, of.owner, of.dseq),
  ]);
  if (deployment === undefined) throw new CliError(`there is no deployment ${of.owner}/${of.dseq}`);
  const leases = await Promise.all(view.leases.filter(isLive).map((lease) => standingOf(session, view, lease.number)));
  const standing = {
    ...of,
    name: deployment.name,
    state: wordOf(DeploymentState, deployment.state),
    revision: deployment.revision,
    leases,
    open: view.orders.filter(isOpen),
    rotate: await marksOf(session, deployment, view),
  };
  session.output.result(standing, () => statusText(standing));
}

/** A provider that does not answer is a part of the answer. */
async function standingOf(session: Session, view: DeploymentView, number: bigint): Promise<LeaseStanding> {
  const door = await doorOf(session, number);
  const { lease } = door;
  const order = view.orders.find(
    ({ id }) => id?.infrastructure === lease.order?.infrastructure && id?.round === lease.order?.round,
  );
  const infrastructure = order?.spec?.name ?? String(lease.order?.infrastructure ?? '');
  try {
    const answer = await leaseStatus(await door.at(), await door.access('read'), number);
    return { lease, infrastructure, answer: cleaned(answer) };
  } catch (error) {
    const trouble = plain(messageOf(error));
    return { lease, infrastructure, answer: undefined, trouble };
  }
}

/** Without what could steer a terminal. */
function cleaned<T>(value: T): T {
  if (typeof value === 'string') return plain(value) as T;
  if (Array.isArray(value)) return value.map(cleaned) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, cleaned(part)])) as T;
}

export async function showMetrics(session: Session, dseqText: string, flags: OwnerFlag): Promise<void> {
  const of = await deploymentOf(session, dseqText, flags);
  const doors = await doorsOf(session, of);
  const leases = await Promise.all(
    doors.map(async (door) =>
      cleaned(await leaseMetrics(await door.at(), await door.access('read'), door.lease.number)),
    ),
  );
  session.output.result({ ...of, leases }, () => metricsText(leases));
}

/** Pure: two tables, what is taken now and what is not billed yet. */
export function metricsText(answers: readonly LeaseMetricsAnswer[]): string {
  const of = (used: bigint, limit: bigint | undefined): string =>
    limit === undefined || limit === 0n ? bytesText(used) : `${bytesText(used)} of ${bytesText(limit)}`;
  const now = answers.flatMap(({ lease, services }) =>
    services.flatMap(({ service, instances, memory_limit_bytes: memory, disk_limit_bytes: disk, ...rest }) =>
      instances.map((one) => [
        lease.toString(),
        `${service}/${one.index}`,
        `${(Number(one.cpu_micros) / 1e6).toFixed(1)} s${rest.cpu_limit_millis === undefined ? '' : ` at ${rest.cpu_limit_millis}m`}`,
        of(one.memory_bytes, memory),
        bytesText(one.received_bytes),
        bytesText(one.sent_bytes),
        of(one.disk_bytes, disk),
      ]),
    ),
  );
  const counted = answers.flatMap(({ lease, unreported, reported_to: to }) =>
    unreported.map(({ service, metric, quantity }) => [lease.toString(), service, metric, `${quantity}`, `${to}`]),
  );
  return [
    now.length === 0
      ? 'no container runs; functions are billed by what they used'
      : table(['LEASE', 'INSTANCE', 'CPU', 'MEMORY', 'RECEIVED', 'SENT', 'DISK'], now),
    counted.length === 0
      ? 'nothing was used that is not reported'
      : `used and not reported yet\n${table(['LEASE', 'SERVICE', 'METRIC', 'QUANTITY', 'REPORTED TO'], counted)}`,
  ].join('\n\n');
}
