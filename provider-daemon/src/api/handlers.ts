/** What each route does: find out what the chain says, check who asks, answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { maxDeliveryBytes } from '@mu/client/manifest/bundle';
import { manifestLimits } from '@mu/client/manifest/head';
import { receiveDelivery } from '../manifests/receive.ts';
import { type AccessContext, authenticate, fromChain, leaseAccess } from './access.ts';
import { ApiError } from './errors.ts';
import { leaseStatus, metricsOf } from './lease-answers.ts';
import type { Route } from './routes.ts';
import type { ApiSources } from './sources.ts';
import { type StreamContext, streamEvents, streamLogs } from './streams.ts';

/** What handlers know besides the request. */
export interface ApiContext extends AccessContext, StreamContext {
  readonly nodeId: string;
  readonly sources: ApiSources;
  /** Deliveries under way, by deployment; a count that handlers keep. */
  readonly deliveries: Map<string, number>;
}

/** Deliveries that are taken at the same time … */
const maxDeliveries = 8;
/** … and those of one deployment: who lets some stand still keeps no other tenant's out. */
export const maxDeliveriesPerDeployment = 2;
/** The largest body of a delivery. */
export const maxBodyBytes = 4 + maxDeliveryBytes + manifestLimits.allFilesBytes;

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
    case 'lease-status': {
      const { fact } = await leaseAccess(route.lease, 'read', request, context);
      return answer(response, leaseStatus(fact, context.sources));
    }
    case 'metrics': {
      const { fact } = await leaseAccess(route.lease, 'read', request, context);
      return answer(response, await metricsOf(fact, context.sources));
    }
    case 'logs': {
      const access = await leaseAccess(route.lease, 'logs', request, context);
      return streamLogs(route, access, response, context);
    }
    case 'events': {
      const access = await leaseAccess(route.lease, 'read', request, context);
      return streamEvents(route, access, response, context);
    }
    case 'exec':
      throw new ApiError('upgrade_required', 'a command is run over a websocket');
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
  await authenticate(request, { owner, dseq, scope: 'manifest', bodyHash: sha256 }, context);
  const leave = enter(context.deliveries, `${owner}/${dseq}`);
  try {
    const record = await receiveDelivery(
      { chunks: request.iterator({ destroyOnReturn: false }), sha256 },
      facts,
      context.sources.manifests,
    );
    context.sources.onManifest(record);
    const held = new Set(facts.held.map(({ infrastructure }) => infrastructure));
    const infrastructures = record.infrastructures.filter((infrastructure) => held.has(infrastructure));
    return { revision: String(record.revision), infrastructures };
  } finally {
    leave();
  }
}

/** @returns what ends it @throws ApiError `busy` */
function enter(deliveries: ApiContext['deliveries'], deployment: string): () => void {
  const own = deliveries.get(deployment) ?? 0;
  const all = [...deliveries.values()].reduce((sum, count) => sum + count, 0);
  if (own >= maxDeliveriesPerDeployment || all >= maxDeliveries) {
    throw new ApiError('busy', 'too many manifests come at the same time');
  }
  deliveries.set(deployment, own + 1);
  return () => {
    const left = (deliveries.get(deployment) ?? 1) - 1;
    if (left === 0) deliveries.delete(deployment);
    else deliveries.set(deployment, left);
  };
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
