/** How a lease stands and what it takes, as the API says it: 64-bit numbers are texts, as everywhere on a Cosmos chain. */
import { WorkloadError } from '../workloads/driver.ts';
import { ApiError } from './errors.ts';
import type { ApiSources, LeaseFact, ServiceMetrics, ServiceStatus } from './sources.ts';

const maxReasonChars = 2_000;

export function leaseStatus(
  fact: LeaseFact,
  sources: Pick<ApiSources, 'leaseStatus' | 'inside' | 'progress'>,
): unknown {
  const { lease } = fact;
  const status = sources.leaseStatus(lease);
  return {
    lease: String(lease),
    deployment: `${fact.owner}/${fact.dseq}`,
    infrastructure: fact.infrastructure,
    live: fact.live,
    work: status?.work ?? 'waiting',
    revision: String(status?.revision ?? 0n),
    ...(status?.reason === undefined ? {} : { reason: status.reason.slice(0, maxReasonChars) }),
    ...(status?.failedRevision === undefined ? {} : { failed_revision: String(status.failedRevision) }),
    ...(status?.manifestFrom === undefined ? {} : { manifest_from: giversOf(status.manifestFrom) }),
    endpoints: status?.endpoints ?? [],
    services: sources.inside.services(lease).map(serviceText),
    progress: sources
      .progress(lease)
      .map(({ timeMs, service, line }) => ({ time: new Date(timeMs).toISOString(), service, stream: 'system', line })),
  };
}

/** Providers by their owners, or `user`. */
function giversOf(from: readonly string[]): readonly string[] | 'user' {
  return from.length === 0 ? 'user' : from;
}

function serviceText({ service, kind, instances }: ServiceStatus): unknown {
  return {
    service,
    kind,
    instances: instances.map(({ index, state, restarts, lastEnd, note }) => ({
      index,
      state,
      restarts,
      ...(lastEnd === undefined ? {} : { last_end: lastEnd }),
      ...(note === undefined ? {} : { note }),
    })),
  };
}

/** @throws ApiError `unavailable` where the machine cannot tell now */
export async function metricsOf({ lease }: LeaseFact, { inside }: Pick<ApiSources, 'inside'>): Promise<unknown> {
  const usage = inside.usage(lease);
  return {
    lease: String(lease),
    services: (await measured(inside.metrics(lease))).map(metricsText),
    reported_to: String(usage?.reportedTo ?? 0n),
    unreported: (usage?.unreported ?? []).map(({ service, metric, quantity }) => ({
      service,
      metric,
      quantity: String(quantity),
    })),
  };
}

async function measured<T>(metrics: Promise<T>): Promise<T> {
  try {
    return await metrics;
  } catch (error) {
    const why = error instanceof WorkloadError ? error.message : 'it does not answer as it should';
    throw new ApiError('unavailable', `what runs the workloads cannot be asked now: ${why}`);
  }
}

function metricsText({ service, kind, instances, ...limits }: ServiceMetrics): unknown {
  const { cpuMillis, memoryLimitBytes, diskLimitBytes } = limits;
  return {
    service,
    kind,
    ...(cpuMillis === undefined ? {} : { cpu_limit_millis: cpuMillis }),
    ...(memoryLimitBytes === undefined ? {} : { memory_limit_bytes: String(memoryLimitBytes) }),
    ...(diskLimitBytes === undefined ? {} : { disk_limit_bytes: String(diskLimitBytes) }),
    instances: instances.map(({ index, cpuMicros, memoryBytes, receivedBytes, sentBytes, diskBytes }) => ({
      index,
      cpu_micros: String(cpuMicros),
      memory_bytes: String(memoryBytes),
      received_bytes: String(receivedBytes),
      sent_bytes: String(sentBytes),
      disk_bytes: String(diskBytes),
    })),
  };
}
