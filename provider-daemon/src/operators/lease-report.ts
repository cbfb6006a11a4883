/** Leases as an operator sees them. */
import { Dec } from '@mu/lib/dec';
import { type Lease, LeaseState } from '@mu/proto/market';
import type { LeaseStatus } from '../api/sources.ts';
import type { LinkReport } from '../leases/link-keeper.ts';
import type { InstanceMetrics, InstanceStatus, ServingWorkload } from '../workloads/driver.ts';
import type { OperatorSources } from './sources.ts';

/** Numbers of the chain are texts, since JSON's end at 2⁵³. */
export interface LeaseReport {
  readonly lease: string;
  readonly owner: string;
  readonly dseq: string;
  readonly infrastructure: string;
  /** on the chain */
  readonly state: 'active' | 'out_of_funds';
  /** where its workloads stand here; `unknown` before the daemon has heard of it */
  readonly work: LeaseStatus['work'] | 'unknown';
  /** of the manifest; 0 before one came */
  readonly revision: string;
  /** why it failed */
  readonly reason?: string;
  readonly endpoints: readonly string[];
  readonly services: readonly ServiceReport[];
  /** with workloads of other infrastructures, whether they are up or not */
  readonly links: readonly LinkReport[];
  /** by service and metric: used, and in no report that the chain has taken */
  readonly unreported: readonly { readonly service: string; readonly metric: string; readonly quantity: string }[];
  readonly report_pending: boolean;
  /** in the base denomination, a decimal */
  readonly price_per_block: string;
  readonly created_height: string;
  readonly paid_through: string;
  readonly confirm_by: string;
  /** first block at which this provider may leave; absent where no notice was given */
  readonly leave_height?: string;
  /** last block of the grace of a lease that is out of funds */
  readonly grace_until?: string;
  /** last block that its deployment's funds pay; absent where the chain does not tell now */
  readonly funded_to?: string;
}

export interface ServiceReport {
  readonly service: string;
  readonly kind: 'container' | 'function' | 'database';
  /** of containers; instances of functions come and go with their calls */
  readonly instances: readonly InstanceReport[];
}

export interface InstanceReport {
  readonly index: number;
  readonly state: InstanceStatus['state'];
  readonly restarts: number;
  readonly last_end?: string;
  readonly note?: string;
  /** what it takes now; absent where it does not run, or does not tell */
  readonly uses?: {
    readonly cpu_micros: string;
    readonly memory_bytes: string;
    readonly received_bytes: string;
    readonly sent_bytes: string;
    readonly disk_bytes: string;
  };
}

/** Runways and metrics are waited for no longer: a report without them is better than none. */
export const patienceMs = 3_000;
/** Leases that are asked about at a time. */
const maxAsked = 16;

/** All live leases by their numbers. Never throws. */
export async function leaseReports(sources: OperatorSources): Promise<LeaseReport[]> {
  const leases = [...sources.leases()].sort((a, b) => (a.number < b.number ? -1 : 1));
  const reports: LeaseReport[] = [];
  for (let at = 0; at < leases.length; at += maxAsked) {
    const some = leases.slice(at, at + maxAsked);
    reports.push(...(await Promise.all(some.map((lease) => reportOf(lease, sources)))));
  }
  return reports;
}

async function reportOf(lease: Lease, sources: OperatorSources): Promise<LeaseReport> {
  const { number } = lease;
  const view = sources.running(number);
  const [funded, ...containers] = await Promise.all([
    inTime(sources.fundedTo(lease)),
    ...[...(view?.containers.values() ?? [])].map(containerOf),
  ]);
  const named = (kind: ServiceReport['kind'], service: string): ServiceReport => ({ service, kind, instances: [] });
  return {
    ...chainSide(lease),
    infrastructure: sources.infrastructure(number) ?? '',
    ...workOf(sources, number),
    services: [
      ...containers,
      ...(view?.plan.functions ?? []).map(({ service }) => named('function', service)),
      ...(view?.plan.databases ?? []).map((service) => named('database', service)),
    ],
    links: sources.links(number),
    ...usageOf(sources, number),
    ...(funded === undefined ? {} : { funded_to: funded.toString() }),
  };
}

type WorkSide = Pick<LeaseReport, 'work' | 'revision' | 'endpoints' | 'reason'>;

function workOf({ leaseStatus }: OperatorSources, number: bigint): WorkSide {
  const status = leaseStatus(number);
  if (status === undefined) return { work: 'unknown', revision: '0', endpoints: [] };
  const { work, revision, endpoints, reason } = status;
  return { work, revision: revision.toString(), endpoints, ...(reason === undefined ? {} : { reason }) };
}

/** What stands in a report that is on its way has not been taken: it is shown too. */
function usageOf({ usage }: OperatorSources, number: bigint) {
  const state = usage(number);
  const items = [...(state?.pending?.report.items ?? []), ...(state?.counted ?? [])];
  const sums = new Map<string, { service: string; metric: string; quantity: bigint }>();
  for (const { service, metric, quantity } of items) {
    const key = `${service}\n${metric}`;
    const before = sums.get(key)?.quantity ?? 0n;
    sums.set(key, { service, metric, quantity: before + quantity });
  }
  return {
    unreported: [...sums.values()].map((item) => ({ ...item, quantity: item.quantity.toString() })),
    report_pending: state?.pending !== undefined,
  };
}

async function containerOf(workload: ServingWorkload): Promise<ServiceReport> {
  const metrics = new Map((await inTime(workload.metrics()))?.map((one) => [one.index, one]));
  const instances = workload.status().map(({ index, state, restarts, lastEnd, note }) => ({
    index,
    state,
    restarts,
    ...(lastEnd === undefined ? {} : { last_end: lastEnd }),
    ...(note === undefined ? {} : { note }),
    ...usesOf(metrics.get(index)),
  }));
  return { service: workload.spec.service, kind: 'container', instances };
}

function usesOf(metrics: InstanceMetrics | undefined): Pick<InstanceReport, 'uses'> {
  if (metrics === undefined) return {};
  return {
    uses: {
      cpu_micros: `${metrics.cpuMicros}`,
      memory_bytes: `${metrics.memoryBytes}`,
      received_bytes: `${metrics.receivedBytes}`,
      sent_bytes: `${metrics.sentBytes}`,
      disk_bytes: `${metrics.diskBytes}`,
    },
  };
}

/** What the chain says of a lease; of one that this daemon does not know, all there is. */
export function chainSide(lease: Lease) {
  const { number, order, state, createdHeight, paidThrough, confirmBy, leaveHeight, graceUntil } = lease;
  const isOut = state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
  return {
    lease: number.toString(),
    owner: order?.owner ?? '',
    dseq: (order?.dseq ?? 0n).toString(),
    state: isOut ? ('out_of_funds' as const) : ('active' as const),
    price_per_block: Dec.fromAtomics(lease.pricePerBlock || '0').toPlain(),
    created_height: createdHeight.toString(),
    paid_through: paidThrough.toString(),
    confirm_by: confirmBy.toString(),
    ...(leaveHeight > 0n ? { leave_height: leaveHeight.toString() } : {}),
    ...(isOut ? { grace_until: graceUntil.toString() } : {}),
  };
}

/** Undefined where it fails or takes too long. */
async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), patienceMs);
  try {
    return await Promise.race([answer.catch(() => undefined), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
