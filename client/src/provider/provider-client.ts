/** What a tenant asks a provider for: taking a manifest, the state of a lease, its log. */
import * as z from 'zod';
import type { BuiltManifest } from '../manifest/build.ts';
import { bundleFor } from '../manifest/bundle.ts';
import { deliveryBody } from './delivery-body.ts';
import { ProviderConnectionError } from './errors.ts';
import { exchange, exchangeJson, type TenantAccess } from './exchange.ts';
import type { ProviderAddress } from './provider-address.ts';

export { ProviderConnectionError, ProviderRefusal } from './errors.ts';
export type { TenantAccess } from './exchange.ts';
export { type AddressOptions, type ProviderAddress, providerAddress } from './provider-address.ts';

/** A large manifest over a slow line. */
const deliveryTimeoutMs = 10 * 60_000;
const u64 = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);

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
  readonly signal?: AbortSignal;
}

const deliveredSchema = z.object({ revision: u64, infrastructures: z.array(z.string()) });

/** Hands a manifest to a provider; it has checked and stored it when this resolves. */
export async function sendManifest(
  at: ProviderAddress,
  { access, built, infrastructures, signal }: ManifestDelivery,
): Promise<{ revision: bigint; infrastructures: readonly string[] }> {
  const { owner, dseq } = built.head;
  const answer = await exchangeJson(at, {
    method: 'PUT',
    path: `/v1/deployments/${owner}/${dseq}/manifest`,
    access,
    body: deliveryBody(bundleFor(built, infrastructures), built.head),
    timeoutMs: deliveryTimeoutMs,
    ...(signal === undefined ? {} : { signal }),
  });
  return checked(at, deliveredSchema, answer);
}

const leaseSchema = z.object({
  lease: u64,
  deployment: z.string(),
  infrastructure: z.string(),
  work: z.enum(['waiting', 'starting', 'running', 'failed']),
  revision: u64,
  reason: z.string().max(2000).optional(),
  endpoints: z.array(z.string().max(256)),
});

/** How a lease stands at its provider. */
export type LeaseStatusAnswer = z.output<typeof leaseSchema>;

/** Needs the scope `read`. */
export async function leaseStatus(
  at: ProviderAddress,
  access: TenantAccess,
  lease: bigint,
): Promise<LeaseStatusAnswer> {
  return checked(
    at,
    leaseSchema,
    await exchangeJson(at, { method: 'GET', path: `/v1/leases/${lease}/status`, access }),
  );
}

const lineSchema = z.object({
  time: z.iso.datetime(),
  service: z.string(),
  stream: z.enum(['stdout', 'stderr', 'system', 'request']),
  line: z.string(),
});

/** A line of a workload's log. What it says is the workload's: strip control characters before a terminal shows it. */
export type LogEntry = z.output<typeof lineSchema>;

export interface LogRequest {
  readonly access: TenantAccess;
  readonly lease: bigint;
  /** How many of the last lines; 100 where it is left out. */
  readonly tail?: number;
  /** Go on with new lines until the signal, or the provider, ends it. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/** The log of a lease, line by line. Needs the scope `logs`. */
export async function* logs(
  at: ProviderAddress,
  { access, lease, tail = 100, follow = false, signal }: LogRequest,
): AsyncGenerator<LogEntry> {
  const path = `/v1/leases/${lease}/logs?tail=${tail}&follow=${follow}`;
  const response = await exchange(at, { method: 'GET', path, access, ...(signal === undefined ? {} : { signal }) });
  try {
    for await (const text of lines(response)) yield checked(at, lineSchema, json(at, text));
  } catch (error) {
    if (signal?.aborted === true) return;
    if (error instanceof ProviderConnectionError) throw error;
    throw new ProviderConnectionError(`${at.hostUri}: the log broke off: ${(error as Error).message}`);
  } finally {
    response.destroy();
  }
}

/** A provider's line is cut to 4096 characters; in JSON that may be six times as much. */
const maxLineChars = 64 * 1024;

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    if (rest.length > maxLineChars) throw new Error('a line is too long');
    yield* parts;
  }
}

function json(at: ProviderAddress, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProviderConnectionError(`${at.hostUri} answered with what is no JSON`);
  }
}

function checked<T extends z.ZodType>(at: ProviderAddress, schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new ProviderConnectionError(`${at.hostUri} answered in a form that is not known here: another version?`);
}
