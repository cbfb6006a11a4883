/** Who asks, and for how long he may: the proof of a request against what the chain says of the lease. */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { TenantScope } from '@mu/client/tenant/delegation';
import { TenantError } from '@mu/client/tenant/errors';
import type { NonceSet } from '@mu/client/tenant/nonces';
import { type RequestFacts, type VerifiedTenant, verifyRequest } from '@mu/client/tenant/request';
import { equalBytes } from '@mu/lib/bytes';
import { ApiError } from './errors.ts';
import type { AccessKeyFact, ApiSources, LeaseFact } from './sources.ts';

export interface AccessContext {
  readonly chainId: string;
  /** The provider's owner address. */
  readonly provider: string;
  readonly sources: Pick<ApiSources, 'facts' | 'status'>;
  readonly nonces: NonceSet;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Requests signed before are refused: their nonces are not known. */
  readonly startedMs: number;
  /** Ends what streams when the server closes. */
  readonly closing: AbortSignal;
  /** How often it is looked whether an access key, under which something streams, still holds. */
  readonly recheckMs: number;
}

export interface Asked {
  readonly owner: string;
  readonly dseq: bigint;
  readonly scope: TenantScope;
  /** SHA-256 of the body. */
  readonly bodyHash: Uint8Array;
}

/** A lease, and who was let to it. */
export interface LeaseAccess {
  readonly fact: LeaseFact;
  readonly tenant: VerifiedTenant;
}

const noBody = new Uint8Array(createHash('sha256').digest());

/** A request about a lease, without a body, by its tenant. @throws ApiError or TenantError */
export async function leaseAccess(
  lease: bigint,
  scope: TenantScope,
  request: IncomingMessage,
  context: AccessContext,
): Promise<LeaseAccess> {
  const fact = await fromChain(context.sources.facts.lease(lease));
  if (fact === undefined) throw new ApiError('not_my_lease', `lease ${lease} is not of this provider`);
  const { owner, dseq } = fact;
  return { fact, tenant: await authenticate(request, { owner, dseq, scope, bodyHash: noBody }, context) };
}

/** The owner's account first; the chain is asked for access keys only where it was not the account that signed. */
export async function authenticate(
  request: IncomingMessage,
  asked: Asked,
  context: AccessContext,
): Promise<VerifiedTenant> {
  const { chainId, provider, nonces, startedMs, now } = context;
  const { bodyHash, ...whom } = asked;
  const facts: RequestFacts = {
    method: request.method ?? '',
    path: request.url ?? '',
    bodyHash,
    certificateHash: ownCertificateHash(request.socket as TLSSocket),
  };
  // Proofs carry whole seconds.
  const notBeforeMs = Math.floor(startedMs / 1000) * 1000;
  const expected = { chainId, provider, nonces, notBeforeMs, ...whom };
  try {
    return verifyRequest(request.headers, facts, { ...expected, nowMs: now() });
  } catch (error) {
    if (!(error instanceof TenantError) || error.code !== 'wrong_signer') throw error;
    const accessKeys = await keysThatHold(asked, context);
    return verifyRequest(request.headers, facts, { ...expected, nowMs: now(), accessKeys });
  }
}

/**
 * Ends with whatever ends first: the reader, the server, the delegation, or the access key's time on the chain.
 * @param gone the reader's own end
 */
export function accessSignal({ fact, tenant }: LeaseAccess, gone: AbortSignal, context: AccessContext): AbortSignal {
  const leftMs = Math.max(0, tenant.delegation.expiresMs - context.now());
  const all = [gone, context.closing, AbortSignal.timeout(leftMs)];
  if (tenant.accessKey === undefined) return AbortSignal.any(all);
  return AbortSignal.any([...all, keyEnd(fact, tenant.accessKey, gone, context)]);
}

/** Aborts when the chain no longer has the key; while it cannot be asked, what goes on goes on. */
function keyEnd(fact: LeaseFact, key: Uint8Array, gone: AbortSignal, context: AccessContext): AbortSignal {
  const end = new AbortController();
  const timer = setInterval(() => {
    keysThatHold(fact, context)
      .then((keys) => {
        if (!keys.some(({ publicKey }) => equalBytes(publicKey, key))) end.abort();
      })
      .catch(() => undefined);
  }, context.recheckMs).unref();
  AbortSignal.any([gone, end.signal]).addEventListener('abort', () => clearInterval(timer), { once: true });
  return end.signal;
}

async function keysThatHold(
  { owner, dseq }: { readonly owner: string; readonly dseq: bigint },
  { sources }: AccessContext,
): Promise<AccessKeyFact[]> {
  const keys = await fromChain(sources.facts.accessKeys(owner, dseq));
  const { height } = sources.status();
  return keys.filter(({ expiresHeight }) => expiresHeight === 0n || height <= expiresHeight);
}

/** Hash of the certificate that this connection was made with: after a renewal older connections keep the old one. */
function ownCertificateHash(socket: TLSSocket): Uint8Array {
  const certificate = socket.getX509Certificate();
  if (certificate === undefined) throw new ApiError('internal', 'the connection has no certificate');
  return new Uint8Array(createHash('sha256').update(certificate.raw).digest());
}

/** @throws ApiError `chain_unavailable` */
export async function fromChain<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch {
    throw new ApiError('chain_unavailable', 'the chain cannot be asked now');
  }
}
