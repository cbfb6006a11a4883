/**
 * Certificates of tunnels (design §6, Keys): issued by a node, for a day at most, with a key of their own and one name that
 * says for which workload of which deployment the node speaks. A node is no authority for TLS (its certificate says so), so
 * that nobody else takes what it has signed; `admission.ts` checks the chain by the rules of docs/OVERLAY.md.
 */
// The certificate library needs the polyfill before anything of it is loaded.
import 'reflect-metadata';
import { type KeyObject, X509Certificate as NodeX509 } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import {
  backdatedMs,
  certificatePem,
  type NodeName,
  nodeUri,
  type Surroundings,
  serialNumber,
} from '../identity/certificates.ts';
import { generateKey, toCryptoKeys, toPem } from '../identity/keys.ts';

/** A tunnel's certificate holds for a day at most. */
export const tunnelLifetimeMs = 24 * 60 * 60 * 1000;

/** One end of a tunnel: a node, and the workload that it speaks for. */
export interface TunnelName extends NodeName {
  /** Address of the deployment's owner. */
  readonly owner: string;
  readonly dseq: bigint;
  readonly infrastructure: string;
  readonly workload: string;
}

/** The one name that a tunnel's certificate has. */
export function tunnelUri(name: TunnelName): string {
  return [nodeUri(name), name.owner, name.dseq, name.infrastructure, name.workload].join('/');
}

/** Names on the chain and in stack files have none of the characters that part a URI. */
const part = '([A-Za-z0-9._-]{1,128})';
const uriForm = new RegExp(`^mu://${[part, part, part, part, '(0|[1-9][0-9]{0,19})', part, part].join('/')}$`);

/** @returns undefined for what is no name of a tunnel's end */
export function parseTunnelUri(uri: string): TunnelName | undefined {
  const [, chainId, provider, nodeId, owner, dseq, infrastructure, workload] = uriForm.exec(uri) ?? [];
  if (workload === undefined) return undefined;
  return {
    ...{ chainId: chainId!, provider: provider!, nodeId: nodeId!, owner: owner!, dseq: BigInt(dseq!) },
    ...{ infrastructure: infrastructure!, workload },
  };
}

export interface TunnelRequest {
  readonly nodeKey: KeyObject;
  /** DER. */
  readonly nodeCertificate: Uint8Array;
  readonly name: TunnelName;
}

/** As node:tls takes them, and when they hold. */
export interface TunnelCredentials {
  readonly key: string;
  /** The tunnel's certificate, then the node's. */
  readonly cert: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * A fresh key and its certificate, signed by the node. It does not outlive the node's.
 * @throws Error where the name is not of the form, or of another node
 */
export async function issueTunnel(request: TunnelRequest, { now, random }: Surroundings): Promise<TunnelCredentials> {
  const { nodeKey, nodeCertificate, name } = request;
  const uri = tunnelUri(name);
  const node = new NodeX509(nodeCertificate);
  if (parseTunnelUri(uri) === undefined) throw new Error(`${uri} is not of the form of a tunnel's name`);
  if (node.subjectAltName !== `URI:${nodeUri(name)}`)
    throw new Error(`${uri} is not of the node ${node.subjectAltName}`);
  const notBeforeMs = Math.max(wholeSeconds(now() - backdatedMs), node.validFromDate.getTime());
  const notAfterMs = Math.min(notBeforeMs + tunnelLifetimeMs, node.validToDate.getTime());
  const key = generateKey('p256');
  const [nodeKeys, keys] = await Promise.all([toCryptoKeys(nodeKey), toCryptoKeys(key)]);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    subject: [{ CN: [name.workload] }],
    issuer: new X509Certificate(new Uint8Array(nodeCertificate)).subjectName,
    publicKey: keys.publicKey,
    signingKey: nodeKeys.privateKey,
    signingAlgorithm: { name: 'Ed25519' },
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: uri }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(nodeKeys.publicKey),
    ],
  });
  const cert = certificatePem(new Uint8Array(certificate.rawData)) + certificatePem(nodeCertificate);
  return { key: toPem(key), cert, notBeforeMs, notAfterMs };
}

/** When a new one is due: half of its life is over. */
export function tunnelRenewalMs({
  notBeforeMs,
  notAfterMs,
}: Pick<TunnelCredentials, 'notBeforeMs' | 'notAfterMs'>): number {
  return (notBeforeMs + notAfterMs) / 2;
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
