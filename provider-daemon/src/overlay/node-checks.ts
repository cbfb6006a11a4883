/**
 * What tunnels and the exchange of manifests check alike: that a node's certificate stands under a root that the chain has,
 * and that the chain has the node, with that key (design §6, Keys). Pure.
 */
import { X509Certificate } from 'node:crypto';
import { equalBytes } from '@mu/lib/bytes';
import type { NodeFact, RootFact } from '../leases/participants.ts';

/** New peers are admitted by a view of the chain that was verified so recently. */
export const maxViewAgeMs = 10 * 60 * 1000;
/** Of one certificate. */
export const maxCertificateBytes = 4096;

export type RefusalReason =
  | 'certificates_missing'
  | 'certificates_malformed'
  | 'other_chain'
  | 'other_deployment'
  | 'other_workload'
  | 'other_node'
  | 'other_root'
  | 'root_ended'
  | 'revoked'
  | 'other_key'
  | 'not_yet_valid'
  | 'expired'
  | 'lifetime_too_long'
  | 'no_lease'
  | 'not_declared'
  | 'view_too_old';

/** Ends a check; the text says what was wrong, and whose. */
export class AdmissionRefusal extends Error {
  override readonly name = 'AdmissionRefusal';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, text: string) {
    super(text);
    this.reason = reason;
  }
}

/** The answer of a check that has thrown. */
export function refusalOf(error: unknown): { admitted: false; reason: RefusalReason; text: string } {
  if (error instanceof AdmissionRefusal) return { admitted: false, reason: error.reason, text: error.message };
  const text = `the certificates cannot be read: ${(error as Error).message}`;
  return { admitted: false, reason: 'certificates_malformed', text };
}

/** What the chain says of a node and its provider, as of a height. */
export interface NodeFacts {
  readonly height: bigint;
  readonly roots: readonly RootFact[];
  /** Absent where the chain knows no node of that name. */
  readonly node?: NodeFact;
}

/**
 * A root of the chain that holds has issued the certificate, and the chain has the node, not removed, with that key.
 * @throws AdmissionRefusal
 */
export function requireStandingNode(node: X509Certificate, facts: NodeFacts, nowMs: number): void {
  const root = facts.roots.find(({ certificate }) => isIssued(node, new X509Certificate(certificate)));
  if (root === undefined)
    throw new AdmissionRefusal('other_root', 'the node’s certificate is under no root that the chain has');
  requireHeights('root_ended', 'the root of the node’s certificate', root, facts.height);
  requireTime([new X509Certificate(root.certificate)], nowMs);
  if (facts.node === undefined) throw new AdmissionRefusal('revoked', 'the chain has no node of that name');
  if (facts.node.removedHeight !== 0n) {
    throw new AdmissionRefusal('revoked', `the node was removed in block ${facts.node.removedHeight}`);
  }
  requireHeights('revoked', 'the node', facts.node, facts.height);
  if (!equalBytes(publicKeyOf(node), facts.node.publicKey)) {
    throw new AdmissionRefusal('other_key', 'the node’s certificate has another key than the node on the chain');
  }
}

function isIssued(node: X509Certificate, root: X509Certificate): boolean {
  return root.ca && node.checkIssued(root) && node.verify(root.publicKey);
}

/** @returns the 32 bytes; none where it is not an Ed25519 key */
function publicKeyOf({ publicKey }: X509Certificate): Uint8Array {
  const { x } = publicKey.asymmetricKeyType === 'ed25519' ? publicKey.export({ format: 'jwk' }) : {};
  return new Uint8Array(Buffer.from(x ?? '', 'base64url'));
}

interface Heights {
  readonly validFromHeight: bigint;
  readonly validToHeight: bigint;
}

function requireHeights(reason: RefusalReason, what: string, heights: Heights, height: bigint): void {
  const { validFromHeight, validToHeight } = heights;
  if (height < validFromHeight) {
    throw new AdmissionRefusal('not_yet_valid', `${what} holds from block ${validFromHeight} on`);
  }
  if (validToHeight !== 0n && height > validToHeight) {
    throw new AdmissionRefusal(reason, `${what} held until block ${validToHeight}`);
  }
}

/** All of them hold now. @throws AdmissionRefusal */
export function requireTime(certificates: readonly X509Certificate[], nowMs: number): void {
  for (const { validFromDate, validToDate, subjectAltName } of certificates) {
    const whose = `the certificate of ${subjectAltName ?? 'the root'}`;
    if (nowMs < validFromDate.getTime()) {
      const text = `${whose} holds from ${validFromDate.toISOString()} on: a clock is wrong`;
      throw new AdmissionRefusal('not_yet_valid', text);
    }
    if (nowMs >= validToDate.getTime()) {
      throw new AdmissionRefusal('expired', `${whose} expired at ${validToDate.toISOString()}`);
    }
  }
}

/** @param mostMs how old the view of the chain may be. @throws AdmissionRefusal */
export function requireFresh(verifiedAtMs: number, nowMs: number, mostMs = maxViewAgeMs): void {
  const ageMs = nowMs - verifiedAtMs;
  if (ageMs <= mostMs) return;
  throw new AdmissionRefusal('view_too_old', `the chain was last verified ${Math.round(ageMs / 60_000)} minutes ago`);
}
