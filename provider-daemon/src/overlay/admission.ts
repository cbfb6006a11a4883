/**
 * Whether a peer may have a tunnel: its certificates say who it is, and only a lease on the chain says that it may
 * (design §6, Keys and Trust). Pure: certificates, what the chain says and the time go in; an answer comes out.
 */
import { X509Certificate } from 'node:crypto';
import { equalBytes } from '@mu/lib/bytes';
import { backdatedMs, nodeUri } from '../identity/certificates.ts';
import { holds, type NodeFact, type Participant, type RootFact } from '../leases/participants.ts';
import { parseTunnelUri, type TunnelName, tunnelLifetimeMs, tunnelUri } from './certificates.ts';

/** New peers are admitted by a view of the chain that was verified so recently. */
export const maxViewAgeMs = 10 * 60 * 1000;
/** Pairs that were admitted before connect again by a view of so long ago. */
export const maxOfflineMs = 24 * 60 * 60 * 1000;
/** Of one certificate. */
export const maxCertificateBytes = 4096;

/** A lease of the peer's deployment, as the chain has it. */
export type LeaseFact = Pick<Participant, 'provider' | 'infrastructure' | 'standing'>;

/** One workload of a deployment. */
export interface WorkloadName {
  readonly infrastructure: string;
  readonly workload: string;
}

/** A connection that the callee's `connections` declare. */
export interface DeclaredConnection {
  readonly name: string;
  readonly caller: WorkloadName;
  readonly callee: WorkloadName;
}

/** What the chain, and the manifest whose hash stands there, say of the peer and of the deployment. */
export interface AdmissionFacts {
  readonly chainId: string;
  readonly height: bigint;
  /** When that height was verified. */
  readonly verifiedAtMs: number;
  /** Of the peer's provider. */
  readonly roots: readonly RootFact[];
  /** The peer's; absent where the chain knows none of that name. */
  readonly node?: NodeFact;
  /** Of the deployment. */
  readonly leases: readonly LeaseFact[];
  /** Of the deployment. */
  readonly connections: readonly DeclaredConnection[];
}

/** Which tunnel it is, as this side knows it. */
export interface ExpectedTunnel {
  readonly peer: TunnelName;
  /** The declared connection. */
  readonly connection: string;
  readonly peerRole: 'caller' | 'callee';
  /** The workload at this side. */
  readonly own: WorkloadName;
  /** This pair of nodes had this tunnel before. */
  readonly isKnownPair: boolean;
}

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

export type Admission =
  | { readonly admitted: true; readonly notBeforeMs: number; readonly notAfterMs: number }
  | { readonly admitted: false; readonly reason: RefusalReason; readonly text: string };

export interface AdmissionQuestion {
  /** In DER, as the peer has shown them: the tunnel's certificate, the node's. The handshake has proved the first one's key. */
  readonly chain: readonly Uint8Array[];
  readonly expected: ExpectedTunnel;
  readonly facts: AdmissionFacts;
  readonly nowMs: number;
}

class Refusal extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, text: string) {
    super(text);
    this.reason = reason;
  }
}

/** Answers, and throws nothing whatever the certificates are. */
export function admit(question: AdmissionQuestion): Admission {
  try {
    const { leaf, node } = parse(question.chain);
    requireName(leaf, node, question);
    requireIssuers(leaf, node, question);
    requireTime([leaf, node], question.nowMs);
    requireLife(leaf);
    requireLease(question);
    requireFreshView(question);
    return { admitted: true, notBeforeMs: leaf.validFromDate.getTime(), notAfterMs: leaf.validToDate.getTime() };
  } catch (error) {
    if (error instanceof Refusal) return { admitted: false, reason: error.reason, text: error.message };
    const text = `the certificates cannot be read: ${(error as Error).message}`;
    return { admitted: false, reason: 'certificates_malformed', text };
  }
}

/** The name that the first certificate shows, to ask the chain about; nothing is proved of it. */
export function shownName(chain: readonly Uint8Array[]): TunnelName | undefined {
  try {
    const [leaf] = chain;
    return leaf === undefined || leaf.length > maxCertificateBytes ? undefined : nameOf(new X509Certificate(leaf));
  } catch {
    return undefined;
  }
}

function parse(chain: readonly Uint8Array[]): { leaf: X509Certificate; node: X509Certificate } {
  const [leaf, node] = chain;
  if (leaf === undefined || node === undefined) {
    throw new Refusal('certificates_missing', 'the peer shows no certificate of the tunnel and of its node');
  }
  if (leaf.length > maxCertificateBytes || node.length > maxCertificateBytes) {
    throw new Refusal('certificates_malformed', `a certificate of more than ${maxCertificateBytes} bytes`);
  }
  return { leaf: new X509Certificate(leaf), node: new X509Certificate(node) };
}

/** node:crypto quotes and escapes names that contain a comma or a quote: one name cannot pass for two. */
function nameOf(leaf: X509Certificate): TunnelName | undefined {
  const names = leaf.subjectAltName ?? '';
  return names.startsWith('URI:') ? parseTunnelUri(names.slice('URI:'.length)) : undefined;
}

function requireName(leaf: X509Certificate, node: X509Certificate, { expected, facts }: AdmissionQuestion): void {
  const name = nameOf(leaf);
  if (name === undefined || leaf.ca || node.ca) {
    throw new Refusal(
      'certificates_malformed',
      `the certificate is of ${leaf.subjectAltName ?? 'nobody'}, no end of a tunnel`,
    );
  }
  const { peer } = expected;
  const refuse = (reason: RefusalReason): never => {
    throw new Refusal(reason, `the certificate is of ${tunnelUri(name)}, not of ${tunnelUri(peer)}`);
  };
  if (name.chainId !== peer.chainId || name.chainId !== facts.chainId) refuse('other_chain');
  if (name.owner !== peer.owner || name.dseq !== peer.dseq) refuse('other_deployment');
  if (name.infrastructure !== peer.infrastructure || name.workload !== peer.workload) refuse('other_workload');
  if (name.provider !== peer.provider || name.nodeId !== peer.nodeId) refuse('other_node');
  if (node.subjectAltName !== `URI:${nodeUri(name)}`) {
    throw new Refusal(
      'other_node',
      `the certificate of ${tunnelUri(name)} is shown with that of ${node.subjectAltName}`,
    );
  }
}

function requireIssuers(leaf: X509Certificate, node: X509Certificate, { facts, nowMs }: AdmissionQuestion): void {
  const root = facts.roots.find(({ certificate }) => isIssued(node, new X509Certificate(certificate)));
  if (root === undefined) throw new Refusal('other_root', 'the node’s certificate is under no root that the chain has');
  requireHeights('root_ended', 'the root of the node’s certificate', root, facts.height);
  requireTime([new X509Certificate(root.certificate)], nowMs);
  if (facts.node === undefined) throw new Refusal('revoked', 'the chain has no node of that name');
  if (facts.node.removedHeight !== 0n) {
    throw new Refusal('revoked', `the node was removed in block ${facts.node.removedHeight}`);
  }
  requireHeights('revoked', 'the node', facts.node, facts.height);
  if (!equalBytes(publicKeyOf(node), facts.node.publicKey)) {
    throw new Refusal('other_key', 'the node’s certificate has another key than the node on the chain');
  }
  if (!leaf.verify(node.publicKey))
    throw new Refusal('other_key', 'the tunnel’s certificate is not signed by the node');
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
  if (height < validFromHeight) throw new Refusal('not_yet_valid', `${what} holds from block ${validFromHeight} on`);
  if (validToHeight !== 0n && height > validToHeight) {
    throw new Refusal(reason, `${what} held until block ${validToHeight}`);
  }
}

function requireTime(certificates: readonly X509Certificate[], nowMs: number): void {
  for (const { validFromDate, validToDate, subjectAltName } of certificates) {
    const whose = `the certificate of ${subjectAltName ?? 'the root'}`;
    if (nowMs < validFromDate.getTime()) {
      throw new Refusal('not_yet_valid', `${whose} holds from ${validFromDate.toISOString()} on: a clock is wrong`);
    }
    if (nowMs >= validToDate.getTime()) {
      throw new Refusal('expired', `${whose} expired at ${validToDate.toISOString()}`);
    }
  }
}

function requireLife({ validFromDate, validToDate }: X509Certificate): void {
  const lifeMs = validToDate.getTime() - validFromDate.getTime();
  if (lifeMs <= tunnelLifetimeMs + backdatedMs) return;
  throw new Refusal('lifetime_too_long', `the tunnel’s certificate is for ${Math.round(lifeMs / 3_600_000)} hours`);
}

function requireLease({ expected, facts }: AdmissionQuestion): void {
  const { peer, own, peerRole, connection } = expected;
  const isHolder = facts.leases.some(
    (lease) => lease.provider === peer.provider && lease.infrastructure === peer.infrastructure && holds(lease),
  );
  if (!isHolder) throw new Refusal('no_lease', `${peer.provider} has no lease of ${peer.infrastructure} that stands`);
  const [caller, callee] = peerRole === 'caller' ? [peer, own] : [own, peer];
  const declared = facts.connections.some(
    (one) => one.name === connection && isWorkload(one.caller, caller) && isWorkload(one.callee, callee),
  );
  if (declared) return;
  throw new Refusal(
    'not_declared',
    `no connection ${connection} from ${caller.workload} to ${callee.workload} is declared`,
  );
}

const isWorkload = (one: WorkloadName, other: WorkloadName): boolean =>
  one.infrastructure === other.infrastructure && one.workload === other.workload;

function requireFreshView({ expected, facts, nowMs }: AdmissionQuestion): void {
  const ageMs = nowMs - facts.verifiedAtMs;
  if (ageMs <= (expected.isKnownPair ? maxOfflineMs : maxViewAgeMs)) return;
  throw new Refusal('view_too_old', `the chain was last verified ${Math.round(ageMs / 60_000)} minutes ago`);
}
