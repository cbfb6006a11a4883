/**
 * Whether a peer may take part in the exchange of a manifest (design §6): its node's certificate says who it is, and only a
 * lease on the chain says that it may. Pure: certificates, what the chain says and the time go in; an answer comes out.
 */
import { X509Certificate } from 'node:crypto';
import { type NodeName, nodeUri } from '../identity/certificates.ts';
import { type ChainView, type DeploymentView, holds, type PeerProvider } from '../leases/participants.ts';
import {
  AdmissionRefusal,
  maxCertificateBytes,
  type RefusalReason,
  refusalOf,
  requireFresh,
  requireStandingNode,
  requireTime,
} from '../overlay/node-checks.ts';

/** What a participant may do: `receive`, and give; or, once its lease has ended, `serve` alone. */
export type PeerRole = 'receive' | 'serve';

export type PeerAdmission =
  | { readonly admitted: true; readonly role: PeerRole; readonly notAfterMs: number }
  | { readonly admitted: false; readonly reason: RefusalReason; readonly text: string };

export interface PeerQuestion {
  /** In DER, as the peer has shown them, its node's first. The handshake has proved that one's key. */
  readonly chain: readonly Uint8Array[];
  /** Who it must be: of the chain here, and where it was dialled, of this provider. */
  readonly expected: { readonly chainId: string; readonly provider?: string };
  /** Undefined where the chain has no such deployment, or provider. */
  readonly deployment: DeploymentView | undefined;
  readonly provider: PeerProvider | undefined;
  /** By which all this was proved. */
  readonly view: ChainView;
  /** Blocks after the normal end of a lease in which its holder may go on serving. */
  readonly serveGraceBlocks: bigint;
  /** It was admitted before, and its connection stands: the view may be old. */
  readonly isStanding: boolean;
  readonly nowMs: number;
}

/** Answers, and throws nothing whatever the certificates are. */
export function admitPeer(question: PeerQuestion): PeerAdmission {
  const { expected, provider, view, isStanding, nowMs } = question;
  try {
    const node = certificateOf(question.chain);
    const name = requireName(node, expected);
    if (provider === undefined) throw new AdmissionRefusal('other_root', `the chain has no provider ${name.provider}`);
    const fact = provider.nodes.get(name.nodeId);
    const { height } = view;
    requireStandingNode(node, { height, roots: provider.roots, ...(fact === undefined ? {} : { node: fact }) }, nowMs);
    requireTime([node], nowMs);
    const role = roleOf(question.deployment, name.provider, { height, serveGraceBlocks: question.serveGraceBlocks });
    if (role === undefined) throw new AdmissionRefusal('no_lease', noLease(name.provider, question.deployment));
    if (!isStanding) requireFresh(view.verifiedAtMs, nowMs);
    return { admitted: true, role, notAfterMs: node.validToDate.getTime() };
  } catch (error) {
    return refusalOf(error);
  }
}

/** What a provider may do in a deployment; undefined: nothing. */
export function roleOf(
  deployment: DeploymentView | undefined,
  provider: string,
  { height, serveGraceBlocks }: { readonly height: bigint; readonly serveGraceBlocks: bigint },
): PeerRole | undefined {
  const own = deployment?.participants.filter((one) => one.provider === provider) ?? [];
  if (own.some(holds)) return 'receive';
  const serves = own.some(
    ({ standing, closedHeight }) => standing === 'closed' && height <= closedHeight + serveGraceBlocks,
  );
  return serves ? 'serve' : undefined;
}

/** Names on the chain have none of the characters that part a URI. */
const part = '([A-Za-z0-9._-]{1,128})';
const uriForm = new RegExp(`^URI:mu://${[part, part, part].join('/')}$`);

/** The node that the first certificate names, to ask the chain about; nothing is proved of it. */
export function shownNode(chain: readonly Uint8Array[]): NodeName | undefined {
  try {
    return nameOf(certificateOf(chain));
  } catch {
    return undefined;
  }
}

function certificateOf([node]: readonly Uint8Array[]): X509Certificate {
  if (node === undefined) throw new AdmissionRefusal('certificates_missing', 'the peer shows no certificate');
  if (node.length > maxCertificateBytes) {
    throw new AdmissionRefusal('certificates_malformed', `a certificate of more than ${maxCertificateBytes} bytes`);
  }
  return new X509Certificate(node);
}

function nameOf({ subjectAltName }: X509Certificate): NodeName | undefined {
  const [, chainId, provider, nodeId] = uriForm.exec(subjectAltName ?? '') ?? [];
  return nodeId === undefined ? undefined : { chainId: chainId!, provider: provider!, nodeId };
}

function requireName(node: X509Certificate, { chainId, provider }: PeerQuestion['expected']): NodeName {
  const name = nameOf(node);
  if (name === undefined || node.ca) {
    const text = `the certificate is of ${node.subjectAltName ?? 'nobody'}, no node`;
    throw new AdmissionRefusal('certificates_malformed', text);
  }
  const whose = `the certificate is of ${nodeUri(name)}`;
  if (name.chainId !== chainId) throw new AdmissionRefusal('other_chain', `${whose}, this chain is ${chainId}`);
  if (provider !== undefined && name.provider !== provider) {
    throw new AdmissionRefusal('other_node', `${whose}, no node of ${provider}`);
  }
  return name;
}

/** What is told where a provider may do nothing in a deployment. */
export function noLease(provider: string, deployment: DeploymentView | undefined): string {
  if (deployment === undefined) return 'the chain has no such deployment';
  const { owner, dseq, participants } = deployment;
  const ended = participants.find((one) => one.provider === provider);
  const how = ended === undefined ? 'none' : `one that is ${ended.standing}`;
  return `${provider} has no lease of ${owner}/${dseq} that stands: it has ${how}`;
}
