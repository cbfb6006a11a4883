/** Which handler a method and a path lead to. */
import type { LogStream } from '../workloads/driver.ts';
import { ApiError } from './errors.ts';

/** From when on: a time, or so long ago. */
export type Since = { readonly atMs: number } | { readonly agoMs: number };

export interface LogsRoute {
  readonly to: 'logs';
  readonly lease: bigint;
  readonly tail?: number;
  readonly after?: number;
  readonly since?: Since;
  readonly service?: string;
  readonly streams?: readonly LogStream[];
  readonly follow: boolean;
}

export interface EventsRoute {
  readonly to: 'events';
  readonly lease: bigint;
  /** Events behind this number. */
  readonly since: number;
  readonly follow: boolean;
}

export interface ExecRoute {
  readonly to: 'exec';
  readonly lease: bigint;
  readonly service: string;
  readonly instance: number;
  readonly tty: boolean;
  readonly command: readonly string[];
}

export type Route =
  | { readonly to: 'status' }
  | { readonly to: 'manifest'; readonly owner: string; readonly dseq: bigint }
  | { readonly to: 'lease-status'; readonly lease: bigint }
  | { readonly to: 'metrics'; readonly lease: bigint }
  | LogsRoute
  | EventsRoute
  | ExecRoute;

const number = '([1-9]\\d{0,19})';

interface Entry {
  readonly method: 'GET' | 'PUT';
  readonly path: RegExp;
  readonly route: (parts: readonly string[], query: URLSearchParams) => Route;
}

const ofLease = (name: string, route: (lease: bigint, query: URLSearchParams) => Route): Entry => ({
  method: 'GET',
  path: new RegExp(`^/v1/leases/${number}/${name}$`),
  route: ([lease], query) => route(u64(lease!), query),
});

const table: readonly Entry[] = [
  { method: 'GET', path: /^\/v1\/status$/, route: () => ({ to: 'status' }) },
  {
    method: 'PUT',
    path: new RegExp(`^/v1/deployments/([a-z0-9]{8,128})/${number}/manifest$`),
    route: ([owner, dseq]) => ({ to: 'manifest', owner: owner!, dseq: u64(dseq!) }),
  },
  ofLease('status', (lease) => ({ to: 'lease-status', lease })),
  ofLease('metrics', (lease) => ({ to: 'metrics', lease })),
  ofLease('logs', (lease, query) => ({ to: 'logs', lease, ...logOptions(query) })),
  ofLease('events', (lease, query) => ({ to: 'events', lease, ...eventOptions(query) })),
  ofLease('exec', (lease, query) => ({ to: 'exec', lease, ...execOptions(query) })),
];

/** The methods of a path, for the header Allow; none where the path is unknown. */
export function methodsOf(path: string): string[] {
  return table.filter((entry) => entry.path.test(path)).map(({ method }) => method);
}

/** @param target path and query of the request line @throws ApiError */
export function findRoute(method: string, target: string): Route {
  const [path = '', query = ''] = target.split('?', 2);
  const methods = methodsOf(path);
  if (methods.length === 0) throw new ApiError('not_found', 'there is nothing at this path');
  const entry = table.find((one) => one.method === method && one.path.test(path));
  if (entry === undefined) throw new ApiError('method_not_allowed', `this path takes ${methods.join(', ')}`);
  return entry.route(entry.path.exec(path)!.slice(1), new URLSearchParams(query));
}

function u64(text: string): bigint {
  const value = BigInt(text);
  if (value >= 1n << 64n) throw new ApiError('bad_request', 'a number is beyond 64 bits');
  return value;
}

const defaultTail = 100;
export const maxTail = 10_000;
const allStreams: readonly LogStream[] = ['stdout', 'stderr', 'system', 'request'];

function logOptions(query: URLSearchParams): Omit<LogsRoute, 'to' | 'lease'> {
  onlyKeys(query, ['tail', 'follow', 'since', 'after', 'service', 'stream']);
  const since = query.get('since');
  const after = query.get('after');
  const service = query.get('service');
  const streams = query.getAll('stream');
  const unknown = streams.find((stream) => !(allStreams as readonly string[]).includes(stream));
  if (unknown !== undefined) throw new ApiError('bad_request', `stream is one of ${allStreams.join(', ')}`);
  const tail = query.get('tail') ?? (since === null && after === null ? String(defaultTail) : null);
  return {
    follow: flag(query, 'follow'),
    ...(tail === null ? {} : { tail: whole(tail, { name: 'tail', most: maxTail }) }),
    ...(after === null ? {} : { after: whole(after, { name: 'after', most: Number.MAX_SAFE_INTEGER }) }),
    ...(since === null ? {} : { since: parseSince(since) }),
    ...(service === null ? {} : { service }),
    ...(streams.length === 0 ? {} : { streams: streams as LogStream[] }),
  };
}

function eventOptions(query: URLSearchParams): Omit<EventsRoute, 'to' | 'lease'> {
  onlyKeys(query, ['since', 'follow']);
  const since = whole(query.get('since') ?? '0', { name: 'since', most: Number.MAX_SAFE_INTEGER });
  return { since, follow: flag(query, 'follow') };
}

const maxInstance = 9_999;

function execOptions(query: URLSearchParams): Omit<ExecRoute, 'to' | 'lease'> {
  onlyKeys(query, ['service', 'instance', 'tty', 'command']);
  const service = query.get('service') ?? '';
  const command = query.getAll('command');
  if (service === '' || command.length === 0) throw new ApiError('bad_request', 'exec takes service and command');
  const instance = whole(query.get('instance') ?? '0', { name: 'instance', most: maxInstance });
  return { service, instance, tty: flag(query, 'tty'), command };
}

function onlyKeys(query: URLSearchParams, allowed: readonly string[]): void {
  const unknown = [...query.keys()].find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw new ApiError('bad_request', `this path takes ${allowed.join(', ')}`);
}

function whole(text: string, { name, most }: { readonly name: string; readonly most: number }): number {
  if (/^\d{1,16}$/.test(text) && Number(text) <= most) return Number(text);
  throw new ApiError('bad_request', `${name} is a whole number of at most ${most}`);
}

function flag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false';
  if (text !== 'true' && text !== 'false') throw new ApiError('bad_request', `${name} is true or false`);
  return text === 'true';
}

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `5m`, `90s`, `2h`, `1d`, or a time by RFC 3339. @throws ApiError */
export function parseSince(text: string): Since {
  const duration = /^(\d{1,9})([smhd])$/.exec(text);
  if (duration !== null) return { agoMs: Number(duration[1]) * unitMs[duration[2]!]! };
  const isTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const atMs = isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(atMs)) return { atMs };
  throw new ApiError('bad_request', 'since is a duration like 90s, 5m, 2h, 1d, or a time like 2026-01-31T12:00:00Z');
}
