/** Certificates for tests: an authority, and names that it vouches for. */
import 'reflect-metadata';
import { createHash, KeyObject, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { CertificatePem } from '../../src/gateway/certificates.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hourMs = 3_600_000;

export interface Authority {
  /** PEM. */
  readonly cert: string;
  /** A certificate for host names; valid from an hour ago for so long. */
  issue(names: readonly string[], hours?: number): Promise<CertificatePem>;
}

export async function authority(): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const root = await X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: '01', name: 'CN=test', keys, signingAlgorithm: algorithm },
    ...validFor(10_000),
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  return { cert: root.toString('pem'), issue: (names, hours = 1_000) => issue({ root, keys }, names, hours) };
}

async function issue(
  by: { root: X509Certificate; keys: webcrypto.CryptoKeyPair },
  names: readonly string[],
  hours: number,
): Promise<CertificatePem> {
  const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: `00${createHash('sha256').update(`${names} ${hours}`).digest('hex').slice(0, 16)}`,
    ...{ subject: 'CN=names', issuer: by.root.subject, publicKey: own.publicKey, signingKey: by.keys.privateKey },
    ...{ signingAlgorithm: algorithm, ...validFor(hours) },
    extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
  });
  const key = KeyObject.from(own.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return { cert: certificate.toString('pem'), key: String(key) };
}

const validFor = (hours: number) => ({
  notBefore: new Date(Date.now() - hourMs),
  notAfter: new Date(Date.now() + hours * hourMs),
});
