/** Certificates: the provider's root, and below it one for each node, which says by a URI who serves (design §6). */
// The certificate library needs the polyfill before anything of it is loaded.
import 'reflect-metadata';
import type { KeyObject } from 'node:crypto';
import { toHex } from '@mu/lib/bytes';
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
import { toCryptoKeys } from './keys.ts';

/** Time and randomness from outside. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Cryptographically strong bytes. */
  readonly random: (length: number) => Uint8Array;
}

const dayMs = 24 * 60 * 60 * 1000;
/** Clocks of those who check may be behind. */
export const backdatedMs = 5 * 60 * 1000;
/** A node's certificate holds for 30 days at most. */
export const nodeLifetimeMs = 30 * dayMs;
/** On the chain a root ends by height; the certificate itself holds for ten years. */
const rootLifetimeMs = 3650 * dayMs;

/** Who a node is. */
export interface NodeName {
  readonly chainId: string;
  /** The provider's owner address. */
  readonly provider: string;
  readonly nodeId: string;
}

/** The one name that a node's certificate has. */
export function nodeUri({ chainId, provider, nodeId }: NodeName): string {
  return `mu://${chainId}/${provider}/${nodeId}`;
}

/** A self-signed root, in DER. */
export async function issueRoot(key: KeyObject, provider: string, { now, random }: Surroundings): Promise<Uint8Array> {
  const keys = await toCryptoKeys(key);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(random),
    name: [{ CN: [`Mu root of ${provider}`] }],
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    notBefore: wholeSeconds(now() - backdatedMs),
    notAfter: wholeSeconds(now() + rootLifetimeMs),
    extensions: [
      // No further authority below it: it signs nodes and nothing else.
      new BasicConstraintsExtension(true, 1, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

export interface NodeRequest {
  readonly rootKey: KeyObject;
  /** DER. */
  readonly rootCertificate: Uint8Array;
  readonly nodeKey: KeyObject;
  readonly name: NodeName;
}

/** A node's certificate for TLS, signed by the root, in DER. */
export async function issueNode(request: NodeRequest, { now, random }: Surroundings): Promise<Uint8Array> {
  const root = new X509Certificate(copyOf(request.rootCertificate));
  const [rootKeys, nodeKeys] = await Promise.all([toCryptoKeys(request.rootKey), toCryptoKeys(request.nodeKey)]);
  const start = now() - backdatedMs;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    subject: [{ CN: [request.name.nodeId] }],
    issuer: root.subjectName,
    publicKey: nodeKeys.publicKey,
    signingKey: rootKeys.privateKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    notBefore: wholeSeconds(start),
    notAfter: wholeSeconds(start + nodeLifetimeMs),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([{ type: 'url', value: nodeUri(request.name) }]),
      await SubjectKeyIdentifierExtension.create(nodeKeys.publicKey),
      await AuthorityKeyIdentifierExtension.create(rootKeys.publicKey),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

/** A certificate in PEM. */
export function certificatePem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** 16 bytes, positive and without a leading zero byte, as DER wants it. */
export function serialNumber(random: Surroundings['random']): string {
  const bytes = random(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return toHex(bytes);
}

function wholeSeconds(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
