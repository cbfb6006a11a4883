/** How a lease stands at its provider, and what it takes. */
import * as z from 'zod';
import { checked, text, u64 } from './answer-form.ts';
import { exchangeJson, type TenantAccess } from './exchange.ts';
import type { ProviderAddress } from './provider-address.ts';

const kind = z.enum(['container', 'function', 'gateway', 'database']);

const statusSchema = z.object({
  lease: u64,
  deployment: text,
  infrastructure: text,
  live: z.boolean(),
  work: z.enum(['waiting', 'starting', 'running', 'updating', 'failed', 'paused']),
  revision: u64,
  reason: text.optional(),
  failed_revision: u64.optional(),
  /** Who gave this revision's manifest: its user, or these providers, by their owners. Absent where that is not known. */
  manifest_from: z.union([z.literal('user'), z.array(text).min(1).max(1_024)]).optional(),
  endpoints: z.array(z.string().max(256)),
  services: z.array(
    z.object({
      service: text,
      kind,
      instances: z.array(
        z.object({
          index: z.int(),
          state: z.enum(['starting', 'ready', 'unhealthy', 'backing_off', 'ended']),
          restarts: z.int(),
          last_end: text.optional(),
          note: text.optional(),
        }),
      ),
    }),
  ),
  progress: z.array(z.object({ time: z.iso.datetime(), service: text, stream: z.literal('system'), line: text })),
});

/** What its texts say is the provider's and the workload's: strip control characters before a terminal shows them. */
export type LeaseStatusAnswer = z.output<typeof statusSchema>;

/** Needs the scope `read`. @throws ProviderConnectionError or ProviderRefusal, as all calls here do */
export async function leaseStatus(
  at: ProviderAddress,
  access: TenantAccess,
  lease: bigint,
): Promise<LeaseStatusAnswer> {
  const asked = { method: 'GET', path: `/v1/leases/${lease}/status`, access } as const;
  return checked(at, statusSchema, await exchangeJson(at, asked));
}

const metricsSchema = z.object({
  lease: u64,
  services: z.array(
    z.object({
      service: text,
      kind,
      cpu_limit_millis: z.int().optional(),
      memory_limit_bytes: u64.optional(),
      disk_limit_bytes: u64.optional(),
      instances: z.array(
        z.object({
          index: z.int(),
          cpu_micros: u64,
          memory_bytes: u64,
          received_bytes: u64,
          sent_bytes: u64,
          disk_bytes: u64,
        }),
      ),
    }),
  ),
  reported_to: u64,
  unreported: z.array(z.object({ service: text, metric: text, quantity: u64 })),
});

export type LeaseMetricsAnswer = z.output<typeof metricsSchema>;

/** What the instances take now, and what was counted and is not on the chain yet. Needs the scope `read`. */
export async function leaseMetrics(
  at: ProviderAddress,
  access: TenantAccess,
  lease: bigint,
): Promise<LeaseMetricsAnswer> {
  const asked = { method: 'GET', path: `/v1/leases/${lease}/metrics`, access } as const;
  return checked(at, metricsSchema, await exchangeJson(at, asked));
}
