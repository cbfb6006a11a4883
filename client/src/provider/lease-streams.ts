/** Logs and events of a lease, line by line as they come. */
import * as z from 'zod';
import { checked } from './answer-form.ts';
import { ProviderConnectionError } from './errors.ts';
import { exchange, type TenantAccess } from './exchange.ts';
import type { ProviderAddress } from './provider-address.ts';

const numbered = { seq: z.int().min(1), time: z.iso.datetime() };
const lineSchema = z.object({
  ...numbered,
  service: z.string(),
  stream: z.enum(['stdout', 'stderr', 'system', 'request']),
  line: z.string(),
});

/** A line of a workload's log. What it says is the workload's: strip control characters before a terminal shows it. */
export type LogEntry = z.output<typeof lineSchema>;

export interface LogRequest {
  readonly access: TenantAccess;
  readonly lease: bigint;
  /** How many of the last lines; where it is left out 100, or all from `since` or `after` on. */
  readonly tail?: number;
  /** From then on: `90s`, `5m`, `2h`, `1d`, or a time by RFC 3339. */
  readonly since?: string;
  /** Lines behind this number, to go on where a stream has ended. */
  readonly after?: number;
  /** Of this service alone. */
  readonly service?: string;
  readonly streams?: readonly LogEntry['stream'][];
  /** Go on with new lines until the signal, the end of the lease, or the provider, ends it. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/** The log of a lease, line by line. Needs the scope `logs`. */
export async function* logs(
  at: ProviderAddress,
  { access, lease, signal, streams = [], follow = false, ...wanted }: LogRequest,
): AsyncGenerator<LogEntry> {
  const query = new URLSearchParams({ follow: String(follow) });
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) query.append(name, String(value));
  for (const stream of streams) query.append('stream', stream);
  const path = `/v1/leases/${lease}/logs?${query}`;
  yield* entries(at, { path, access, ...(signal === undefined ? {} : { signal }) }, lineSchema);
}

const eventSchema = z.looseObject({ ...numbered, type: z.string().regex(/^[a-z-]{1,40}$/) });

/** What happened to a lease: its type, and facts that depend on it (provider-daemon/src/api/lease-events.ts). */
export type EventEntry = z.output<typeof eventSchema>;

export interface EventRequest {
  readonly access: TenantAccess;
  readonly lease: bigint;
  /** Events behind this number; 0 for all that are kept. */
  readonly since?: number;
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/** What happened to a lease, in order. Needs the scope `read`. */
export async function* events(
  at: ProviderAddress,
  { access, lease, since = 0, follow = false, signal }: EventRequest,
): AsyncGenerator<EventEntry> {
  const path = `/v1/leases/${lease}/events?since=${since}&follow=${follow}`;
  yield* entries(at, { path, access, ...(signal === undefined ? {} : { signal }) }, eventSchema);
}

async function* entries<T extends z.ZodType>(
  at: ProviderAddress,
  asked: { readonly path: string; readonly access: TenantAccess; readonly signal?: AbortSignal },
  schema: T,
): AsyncGenerator<z.output<T>> {
  const { signal } = asked;
  const response = await exchange(at, { method: 'GET', ...asked });
  try {
    for await (const line of lines(response)) yield checked(at, schema, json(at, line));
    if (!response.complete) throw new Error('the connection went');
  } catch (error) {
    if (signal?.aborted === true) return;
    if (error instanceof ProviderConnectionError) throw error;
    throw new ProviderConnectionError(`${at.hostUri}: the stream broke off: ${(error as Error).message}`);
  } finally {
    response.destroy();
  }
}

/** A provider's line is cut to 4096 characters; in JSON that may be six times as much. */
export const maxLineChars = 64 * 1024;

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

function json(at: ProviderAddress, line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ProviderConnectionError(`${at.hostUri} answered with what is no JSON`);
  }
}
