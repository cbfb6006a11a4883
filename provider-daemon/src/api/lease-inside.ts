/** What a tenant sees of what runs for a lease, and the way into a container. */
import type { RunningView } from '../leases/lease-runner.ts';
import { Counters } from '../usage/counters.ts';
import type { UsageState } from '../usage/report.ts';
import { type ExecRequest, type ExecSession, WorkloadError } from '../workloads/driver.ts';
import type { LeaseInside, LeaseUsage, ServiceMetrics, ServiceStatus } from './sources.ts';

export interface LeaseInsideOptions {
  /** What runs for a lease; undefined where nothing does. */
  readonly view: (lease: bigint) => RunningView | undefined;
  /** What the journal has of its usage. */
  readonly usage: (lease: bigint) => UsageState | undefined;
}

export function leaseInside({ view, usage }: LeaseInsideOptions): LeaseInside {
  return {
    services: (lease) => servicesOf(view(lease)),
    metrics: (lease) => metricsOf(view(lease)),
    usage(lease) {
      const state = usage(lease);
      return state === undefined ? undefined : usageOf(state);
    },
    exec: (lease, service, request) => exec(view(lease), service, request),
  };
}

function servicesOf(view: RunningView | undefined): ServiceStatus[] {
  if (view === undefined) return [];
  const { plan, containers } = view;
  const doors = [...new Set(plan.gateways.map(({ service }) => service))];
  const own = doors.filter((name) => !plan.containers.some(({ service }) => service === name));
  return [
    ...plan.containers.map(({ service }): ServiceStatus => {
      const instances = containers.get(service)?.status() ?? [];
      // Where it is reached on this machine is nobody else's business.
      return { service, kind: 'container', instances: instances.map(({ address: _address, ...rest }) => rest) };
    }),
    ...plan.functions.map(
      ({ service }): ServiceStatus => ({
        service,
        kind: 'function',
        instances: [{ index: 0, state: 'ready', restarts: 0 }],
      }),
    ),
    ...own.map((service): ServiceStatus => ({ service, kind: 'gateway', instances: [] })),
    ...plan.databases.map((service): ServiceStatus => ({ service, kind: 'database', instances: [] })),
  ];
}

async function metricsOf(view: RunningView | undefined): Promise<ServiceMetrics[]> {
  if (view === undefined) return [];
  const { plan, containers } = view;
  const measured = await Promise.all(
    plan.containers.map(async ({ service, cpu, memoryBytes, volumes }): Promise<ServiceMetrics> => {
      const instances = (await containers.get(service)?.metrics()) ?? [];
      const diskLimitBytes = volumes.reduce((sum, { bytes }) => sum + bytes, 0);
      return { service, kind: 'container', cpuMillis: cpu, memoryLimitBytes: memoryBytes, diskLimitBytes, instances };
    }),
  );
  const functions = plan.functions.map(
    ({ service, memoryBytes }): ServiceMetrics => ({
      service,
      kind: 'function',
      memoryLimitBytes: memoryBytes,
      instances: [],
    }),
  );
  return [...measured, ...functions];
}

/** A report on its way is not on the chain for certain: what it carries counts as unreported. */
function usageOf({ counted, pending, toHeight }: UsageState): LeaseUsage {
  const unreported = new Counters(counted);
  for (const { service, metric, quantity } of pending?.report.items ?? []) unreported.add(service, metric, quantity);
  return { reportedTo: toHeight, unreported: unreported.items() };
}

async function exec(view: RunningView | undefined, service: string, request: ExecRequest): Promise<ExecSession> {
  const workload = view?.containers.get(service);
  if (workload !== undefined) return workload.exec(request);
  const isFunction = view?.plan.functions.some((one) => one.service === service) === true;
  if (isFunction) {
    throw new WorkloadError(
      'invalid',
      `${service} is a function: commands run in containers only, see its log instead`,
    );
  }
  const there = view?.plan.containers.map((one) => one.service) ?? [];
  const names = there.length === 0 ? 'no containers run for this lease' : `there are: ${there.join(', ')}`;
  throw new WorkloadError('invalid', `there is no container ${JSON.stringify(service)}; ${names}`);
}
