/** Logs and events: lines of JSON, one for each. A reader that is slow holds its own stream back and nobody else's. */
import type { ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import { type AccessContext, accessSignal, type LeaseAccess } from './access.ts';
import { ApiError } from './errors.ts';
import type { EventsRoute, LogsRoute } from './routes.ts';
import type { ApiSources } from './sources.ts';

export interface StreamContext extends AccessContext {
  readonly sources: Pick<ApiSources, 'facts' | 'status' | 'logs' | 'events'>;
  /** Streams that are open, by lease; a count that handlers keep. */
  readonly streams: Map<bigint, number>;
}

/** Readers of logs and events of one lease at the same time. */
export const maxStreamsPerLease = 16;

/** @throws ApiError `busy` */
export async function streamLogs(
  { lease, follow, since, ...route }: LogsRoute,
  access: LeaseAccess,
  response: ServerResponse,
  context: StreamContext,
): Promise<void> {
  const { to: _to, ...filter } = route;
  const sinceMs = since === undefined ? undefined : 'atMs' in since ? since.atMs : context.now() - since.agoMs;
  await stream(access, response, context, (signal) => {
    // A lease that is over gets no new lines.
    const options = { ...filter, ...(sinceMs === undefined ? {} : { sinceMs }), follow: follow && access.fact.live };
    return texts(context.sources.logs.read(lease, { ...options, signal }), ({ timeMs, ...line }) => ({
      ...line,
      timeMs,
    }));
  });
}

/** @throws ApiError `busy` */
export async function streamEvents(
  { lease, follow, since }: EventsRoute,
  access: LeaseAccess,
  response: ServerResponse,
  context: StreamContext,
): Promise<void> {
  await stream(access, response, context, (signal) => {
    const options = { after: since, follow: follow && access.fact.live, signal };
    return texts(context.sources.events.read(lease, options), ({ seq, timeMs, event }) => ({ seq, timeMs, ...event }));
  });
}

/** Each with its time as text. */
async function* texts<T>(
  entries: AsyncIterable<T>,
  form: (entry: T) => { readonly seq: number; readonly timeMs: number },
): AsyncGenerator<string> {
  for await (const entry of entries) {
    const { seq, timeMs, ...rest } = form(entry);
    yield `${JSON.stringify({ seq, time: new Date(timeMs).toISOString(), ...rest })}\n`;
  }
}

async function stream(
  access: LeaseAccess,
  response: ServerResponse,
  context: StreamContext,
  read: (signal: AbortSignal) => AsyncIterable<string>,
): Promise<void> {
  const { lease } = access.fact;
  const open = context.streams.get(lease) ?? 0;
  if (open >= maxStreamsPerLease) {
    throw new ApiError('busy', `${maxStreamsPerLease} readers follow lease ${lease} already`);
  }
  context.streams.set(lease, open + 1);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  try {
    const signal = accessSignal(access, gone.signal, context);
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.flushHeaders();
    for await (const text of read(signal)) {
      if (!response.write(text)) await drained(response, signal);
      if (signal.aborted) break;
    }
    // One that no longer reads would hold the end back for ever.
    if (signal.aborted && response.writableNeedDrain) response.destroy();
    else response.end();
    await finished(response).catch(() => undefined);
  } finally {
    gone.abort();
    const left = (context.streams.get(lease) ?? 1) - 1;
    if (left === 0) context.streams.delete(lease);
    else context.streams.set(lease, left);
  }
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const go = (): void => resolve();
  response.once('drain', go);
  signal.addEventListener('abort', go, { once: true });
  await promise;
  response.off('drain', go);
  signal.removeEventListener('abort', go);
}
