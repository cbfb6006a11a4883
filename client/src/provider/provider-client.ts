/** What a tenant asks a provider for: taking a manifest; state, log and events of a lease, and commands in it. */
import * as z from 'zod';
import type { BuiltManifest } from '../manifest/build.ts';
import { bundleFor } from '../manifest/bundle.ts';
import { checked, u64 } from './answer-form.ts';
import { deliveryBody } from './delivery-body.ts';
import { exchangeJson, type TenantAccess } from './exchange.ts';
import type { ProviderAddress } from './provider-address.ts';

export { ProviderConnectionError, ProviderRefusal } from './errors.ts';
export type { TenantAccess } from './exchange.ts';
export { type ExecConnection, type ExecOptions, openExec } from './exec-client.ts';
export {
  type LeaseMetricsAnswer,
  type LeaseStatusAnswer,
  leaseMetrics,
  leaseStatus,
} from './lease-state.ts';
export {
  type EventEntry,
  type EventRequest,
  events,
  type LogEntry,
  type LogRequest,
  logs,
} from './lease-streams.ts';
export { type AddressOptions, type ProviderAddress, providerAddress } from './provider-address.ts';

/** Once all of a manifest has been sent: the provider brings it to its disk before it answers. */
const deliveryTimeoutMs = 10 * 60_000;

const statusSchema = z.object({
  chain_id: z.string(),
  provider: z.string(),
  node_id: z.string(),
  height: u64,
  leases: z.int(),
  services: z.array(z.string()),
  regions: z.array(z.string()),
});

/** What a provider says of itself to everybody. */
export interface ProviderStatus {
  readonly chainId: string;
  readonly provider: string;
  readonly nodeId: string;
  /** Height that it has seen. */
  readonly height: bigint;
  /** Live leases. */
  readonly leases: number;
  readonly services: readonly string[];
  readonly regions: readonly string[];
}

/** @throws ProviderConnectionError or ProviderRefusal, as all calls here do */
export async function status(at: ProviderAddress, signal?: AbortSignal): Promise<ProviderStatus> {
  const asked = { method: 'GET', path: '/v1/status', ...(signal === undefined ? {} : { signal }) } as const;
  const { chain_id, node_id, ...rest } = checked(at, statusSchema, await exchangeJson(at, asked));
  return { chainId: chain_id, nodeId: node_id, ...rest };
}

export interface ManifestDelivery {
  readonly access: TenantAccess;
  readonly built: BuiltManifest;
  /** Names of the infrastructures of the deployment of which this provider holds a lease: all of them. */
  readonly infrastructures: readonly string[];
  /** Which files go with it: `own`, those that its infrastructures use, where it is left out. */
  readonly files?: 'all' | 'own' | 'none';
  /** For so long the provider may take no byte; a minute where it is left out. In all it may take as long as it needs. */
  readonly stallMs?: number;
  readonly signal?: AbortSignal;
}

const deliveredSchema = z.object({ revision: u64, infrastructures: z.array(z.string()) });

/** Hands a manifest to a provider; it has checked and stored it when this resolves. */
export async function sendManifest(
  at: ProviderAddress,
  { access, built, infrastructures, files, stallMs, signal }: ManifestDelivery,
): Promise<{ revision: bigint; infrastructures: readonly string[] }> {
  const { owner, dseq } = built.head;
  const answer = await exchangeJson(at, {
    method: 'PUT',
    path: `/v1/deployments/${owner}/${dseq}/manifest`,
    access,
    body: deliveryBody(bundleFor(built, infrastructures, files), built.head),
    timeoutMs: deliveryTimeoutMs,
    ...(stallMs === undefined ? {} : { stallMs }),
    ...(signal === undefined ? {} : { signal }),
  });
  return checked(at, deliveredSchema, answer);
}
