/** What each route does: find out what the chain says, check who asks, answer. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import { maxDeliveryBytes } from '@mu/client/manifest/bundle';
import { manifestLimits } from '@mu/client/manifest/head';
import type { Delegation, TenantScope } from '@mu/client/tenant/delegation';
import type { NonceSet } from '@mu/client/tenant/nonces';
import { type RequestFacts, verifyRequest } from '@mu/client/tenant/request';
import { receiveDelivery } from '../manifests/receive.ts';
import { ApiError } from './errors.ts';
import type { Route } from './routes.ts';
import type { ApiSources, LeaseFact } from './sources.ts';

/** What handlers know besides the request. */
export interface ApiContext {
  readonly chainId: string;
  /** The provider's owner address. */
  readonly provider: string;
  readonly nodeId: string;
  readonly sources: ApiSources;
  readonly nonces: NonceSet;
  readonly now: () => number;
  /** Requests signed before are refused: their nonces are not known. */
  readonly startedMs: number;
  /** Ends what streams when the server closes. */
  readonly closing: AbortSignal;
  /** Deliveries under way; a number that handlers keep. */
  readonly deliveries: { count: number };
}

/** Deliveries that are taken at the same time. */
const maxDeliveries = 8;
/** The largest body of a delivery. */
export const maxBodyBytes = 4 + maxDeliveryBytes + manifestLimits.allFilesBytes;
const noBody = new Uint8Array(createHash('sha256').digest());

/** @throws ApiError, Refusal or TenantError as long as nothing was answered */
export async function handle(
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
  context: ApiContext,
): Promise<void> {
  switch (route.to) {
    case 'status':
      return answer(response, statusOf(context));
    case 'manifest':
      return answer(response, await takeManifest(route, request, context));
    case 'lease-status':
      return answer(response, await leaseStatus(route.lease, request, context));
    case 'logs':
      return streamLogs(route, request, response, context);
  }
}

/** Answers with JSON. */
export function answer(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(value)}\n`);
}

function statusOf({ chainId, provider, nodeId, sources }: ApiContext): unknown {
  const { height, leases, services, regions } = sources.status();
  return { chain_id: chainId, provider, node_id: nodeId, height: String(height), leases, services, regions };
}

async function takeManifest(
  { owner, dseq }: { owner: string; dseq: bigint },
  request: IncomingMessage,
  context: ApiContext,
): Promise<unknown> {
  const sha256 = bodyDigest(request);
  const facts = await fromChain(context.sources.facts.deployment(owner, dseq));
  if (facts === undefined || facts.held.length === 0) {
    throw new ApiError('not_my_lease', `this provider holds no live lease of ${owner}/${dseq}`);
  }
  // Who asks is known before a byte of the body is read; the body's hash is part of what was signed.
  authenticate(request, { owner, dseq, scope: 'manifest', bodyHash: sha256 }, context);
  if (context.deliveries.count >= maxDeliveries) throw new ApiError('busy', 'too many manifests come at the same time');
  context.deliveries.count += 1;
  try {
    const record = await receiveDelivery(
      { chunks: request.iterator({ destroyOnReturn: false }), sha256 },
      facts,
      context.sources.manifests,
    );
    context.sources.onManifest(record);
    return { revision: String(record.revision), infrastructures: record.infrastructures };
  } finally {
    context.deliveries.count -= 1;
  }
}

/** The body's hash from `content-digest` (RFC 9530), once its length is known to be allowed. */
function bodyDigest({ headers }: IncomingMessage): Uint8Array {
  const length = headers['content-length'];
  const digest = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(String(headers['content-digest'] ?? ''));
  if (length === undefined || digest === null) {
    throw new ApiError('length_required', 'a manifest comes with content-length and content-digest: sha-256=:…:');
  }
  if (Number(length) > maxBodyBytes) throw new ApiError('too_large', `a delivery has at most ${maxBodyBytes} bytes`);
  return new Uint8Array(Buffer.from(digest[1]!, 'base64'));
}

async function leaseStatus(lease: bigint, request: IncomingMessage, context: ApiContext): Promise<unknown> {
  const { fact } = await ownLease(lease, 'read', request, context);
  const status = context.sources.leaseStatus(lease);
  return {
    lease: String(lease),
    deployment: `${fact.owner}/${fact.dseq}`,
    infrastructure: fact.infrastructure,
    work: status?.work ?? 'waiting',
    revision: String(status?.revision ?? 0n),
    ...(status?.reason === undefined ? {} : { reason: status.reason }),
    endpoints: status?.endpoints ?? [],
  };
}

/** Lines of JSON, one for each line of the log. A reader that is slow holds its own stream back and nobody else's. */
async function streamLogs(
  { lease, tail, follow }: Extract<Route, { to: 'logs' }>,
  request: IncomingMessage,
  response: ServerResponse,
  context: ApiContext,
): Promise<void> {
  const { leftMs } = await ownLease(lease, 'logs', request, context);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  // A stream outlives neither its reader, the server, nor the delegation.
  const signal = AbortSignal.any([gone.signal, context.closing, AbortSignal.timeout(leftMs)]);
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  response.flushHeaders();
  for await (const { timeMs, service, stream, line } of context.sources.logs.read(lease, { tail, follow, signal })) {
    const text = JSON.stringify({ time: new Date(timeMs).toISOString(), service, stream, line });
    if (!response.write(`${text}\n`)) await drained(response, signal);
    if (signal.aborted) break;
  }
  response.end();
  await finished(response).catch(() => undefined);
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const go = (): void => resolve();
  response.once('drain', go);
  signal.addEventListener('abort', go, { once: true });
  await promise;
  response.off('drain', go);
  signal.removeEventListener('abort', go);
}

async function ownLease(
  lease: bigint,
  scope: TenantScope,
  request: IncomingMessage,
  context: ApiContext,
): Promise<{ fact: LeaseFact; leftMs: number }> {
  const fact = await fromChain(context.sources.facts.lease(lease));
  if (fact === undefined) throw new ApiError('not_my_lease', `lease ${lease} is not of this provider`);
  const { owner, dseq } = fact;
  const { expiresMs } = authenticate(request, { owner, dseq, scope, bodyHash: noBody }, context);
  return { fact, leftMs: expiresMs - context.now() };
}

interface Asked {
  readonly owner: string;
  readonly dseq: bigint;
  readonly scope: TenantScope;
  readonly bodyHash: Uint8Array;
}

function authenticate(request: IncomingMessage, { bodyHash, ...asked }: Asked, context: ApiContext): Delegation {
  const facts: RequestFacts = {
    method: request.method ?? '',
    path: request.url ?? '',
    bodyHash,
    certificateHash: ownCertificateHash(request.socket as TLSSocket),
  };
  const { chainId, provider, nonces, startedMs, now } = context;
  // Proofs carry whole seconds.
  const notBeforeMs = Math.floor(startedMs / 1000) * 1000;
  return verifyRequest(request.headers, facts, { nowMs: now(), chainId, provider, nonces, notBeforeMs, ...asked });
}

/** Hash of the certificate that this connection was made with: after a renewal older connections keep the old one. */
function ownCertificateHash(socket: TLSSocket): Uint8Array {
  const certificate = socket.getX509Certificate();
  if (certificate === undefined) throw new ApiError('internal', 'the connection has no certificate');
  return new Uint8Array(createHash('sha256').update(certificate.raw).digest());
}

async function fromChain<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch {
    throw new ApiError('chain_unavailable', 'the chain cannot be asked now');
  }
}
