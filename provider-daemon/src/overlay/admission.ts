/**
 * Whether a peer may have a tunnel: its certificates say who it is, and only a lease on the chain says that it may
 * (design §6, Keys and Trust). Pure: certificates, what the chain says and the time go in; an answer comes out.
 */
import { X509Certificate } from 'node:crypto';
import { backdatedMs, nodeUri } from '../identity/certificates.ts';
import { holds, type NodeFact, type Participant, type RootFact } from '../leases/participants.ts';
import { parseTunnelUri, type TunnelName, tunnelLifetimeMs, tunnelUri } from './certificates.ts';
import {
  AdmissionRefusal,
  maxCertificateBytes,
  maxViewAgeMs,
  type RefusalReason,
  refusalOf,
  requireFresh,
  requireStandingNode,
  requireTime,
} from './node-checks.ts';

export { maxCertificateBytes, maxViewAgeMs, type RefusalReason } from './node-checks.ts';

/** Pairs that were admitted before connect again by a view of so long ago. */
export const maxOfflineMs = 24 * 60 * 60 * 1000;

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
    return refusalOf(error);
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
    throw new AdmissionRefusal('certificates_missing', 'the peer shows no certificate of the tunnel and of its node');
  }
  if (leaf.length > maxCertificateBytes || node.length > maxCertificateBytes) {
    throw new AdmissionRefusal('certificates_malformed', `a certificate of more than ${maxCertificateBytes} bytes`);
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
    throw new AdmissionRefusal(
      'certificates_malformed',
      `the certificate is of ${leaf.subjectAltName ?? 'nobody'}, no end of a tunnel`,
    );
  }
  const { peer } = expected;
  const refuse = (reason: RefusalReason): never => {
    throw new AdmissionRefusal(reason, `the certificate is of ${tunnelUri(name)}, not of ${tunnelUri(peer)}`);
  };
  if (name.chainId !== peer.chainId || name.chainId !== facts.chainId) refuse('other_chain');
  if (name.owner !== peer.owner || name.dseq !== peer.dseq) refuse('other_deployment');
  if (name.infrastructure !== peer.infrastructure || name.workload !== peer.workload) refuse('other_workload');
  if (name.provider !== peer.provider || name.nodeId !== peer.nodeId) refuse('other_node');
  if (node.subjectAltName !== `URI:${nodeUri(name)}`) {
    throw new AdmissionRefusal(
      'other_node',
      `the certificate of ${tunnelUri(name)} is shown with that of ${node.subjectAltName}`,
    );
  }
}

function requireIssuers(leaf: X509Certificate, node: X509Certificate, { facts, nowMs }: AdmissionQuestion): void {
  requireStandingNode(node, facts, nowMs);
  if (leaf.verify(node.publicKey)) return;
  throw new AdmissionRefusal('other_key', 'the tunnel’s certificate is not signed by the node');
}

function requireLife({ validFromDate, validToDate }: X509Certificate): void {
  const lifeMs = validToDate.getTime() - validFromDate.getTime();
  if (lifeMs <= tunnelLifetimeMs + backdatedMs) return;
  throw new AdmissionRefusal(
    'lifetime_too_long',
    `the tunnel’s certificate is for ${Math.round(lifeMs / 3_600_000)} hours`,
  );
}

function requireLease({ expected, facts }: AdmissionQuestion): void {
  const { peer, own, peerRole, connection } = expected;
  const isHolder = facts.leases.some(
    (lease) => lease.provider === peer.provider && lease.infrastructure === peer.infrastructure && holds(lease),
  );
  if (!isHolder)
    throw new AdmissionRefusal('no_lease', `${peer.provider} has no lease of ${peer.infrastructure} that stands`);
  const [caller, callee] = peerRole === 'caller' ? [peer, own] : [own, peer];
  const declared = facts.connections.some(
    (one) => one.name === connection && isWorkload(one.caller, caller) && isWorkload(one.callee, callee),
  );
  if (declared) return;
  throw new AdmissionRefusal(
    'not_declared',
    `no connection ${connection} from ${caller.workload} to ${callee.workload} is declared`,
  );
}

const isWorkload = (one: WorkloadName, other: WorkloadName): boolean =>
  one.infrastructure === other.infrastructure && one.workload === other.workload;

function requireFreshView({ expected, facts, nowMs }: AdmissionQuestion): void {
  requireFresh(facts.verifiedAtMs, nowMs, expected.isKnownPair ? maxOfflineMs : maxViewAgeMs);
}
