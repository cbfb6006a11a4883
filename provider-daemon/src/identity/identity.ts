/**
 * Who this provider and this node are: keys and certificates in one folder, each in a file of its own that only its
 * owner may read (design §6, Keys). The root's key may be taken away: then the node serves until its certificate ends.
 */
import { type KeyObject, sign, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { equalBytes, fromHex, toHex } from '@mu/lib/bytes';
import { nodeSignBytes, usageSignBytes } from '@mu/lib/sign-bytes';
import { UsageReport } from '@mu/proto/billing';
import { NodeCertificate } from '@mu/proto/provider';
import * as z from 'zod';
import { certificatePem, issueNode, issueRoot, type NodeName, nodeUri, type Surroundings } from './certificates.ts';
import { replaceFile, syncFolder, writeNewFile } from './files.ts';
import { fromPem, generateKey, rawPublicKey, toPem } from './keys.ts';

export type { NodeName, Surroundings } from './certificates.ts';

/** An identity that cannot be made or read; the message says what to do. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/** A provider's identity, loaded. Private keys are KeyObjects: they show nothing when they are logged. */
export interface Identity {
  readonly folder: string;
  readonly name: NodeName;
  /** DER; it stands on the chain. */
  readonly rootCertificate: Uint8Array;
  /** Undefined where the root is kept offline. */
  readonly rootKey: KeyObject | undefined;
  /** Certifies nodes; undefined where it is kept offline. */
  readonly authorityKey: KeyObject | undefined;
  /** 32 bytes; `node_authority_key` on the chain. */
  readonly authorityPublicKey: Uint8Array;
  /** Signs usage reports, and serves TLS. */
  readonly nodeKey: KeyObject;
  /** 32 bytes; the node's `public_key` on the chain. */
  readonly nodePublicKey: Uint8Array;
  readonly nodeCertificate: NodeTlsCertificate;
  /** X25519. */
  readonly encryptionKey: KeyObject;
  /** 32 bytes; of `encryption_keys` on the chain. */
  readonly encryptionPublicKey: Uint8Array;
}

export interface NodeTlsCertificate {
  readonly der: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export const identityFiles = {
  name: 'identity.json',
  rootKey: 'root.key.pem',
  rootCertificate: 'root.cert.pem',
  authorityKey: 'authority.key.pem',
  nodeKey: 'node.key.pem',
  nodeCertificate: 'node.cert.pem',
  encryptionKey: 'encryption.key.pem',
} as const;

/** What is to follow stands beside what holds, until a rotation puts it into its place. */
export const nextFiles = {
  name: 'identity.next.json',
  rootKey: 'root.next.key.pem',
  rootCertificate: 'root.next.cert.pem',
  nodeKey: 'node.next.key.pem',
  encryptionKey: 'encryption.next.key.pem',
} as const;

const files = identityFiles;

const nameSchema = z.strictObject({
  chain_id: z.string().regex(/^[\x21-\x7e]{1,50}$/),
  provider: z.string().regex(/^[a-z0-9]{8,128}$/),
  node_id: z.string().regex(/^[a-z0-9-]{1,64}$/),
  authority_public_key: z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * Makes all keys and certificates. The folder appears whole or not at all.
 * @throws IdentityError when there is one already, or the name is not of the form
 */
export async function initIdentity(folder: string, name: NodeName, around: Surroundings): Promise<Identity> {
  if (existsSync(folder)) {
    throw new IdentityError(`${folder} is there already; keys are never overwritten. Move it away to make new ones`);
  }
  const keys = {
    root: generateKey('p256'),
    authority: generateKey('ed25519'),
    node: generateKey('ed25519'),
    encryption: generateKey('x25519'),
  };
  const named = nameSchema.safeParse({
    chain_id: name.chainId,
    provider: name.provider,
    node_id: name.nodeId,
    authority_public_key: toHex(rawPublicKey(keys.authority)),
  });
  // A '/' would let one name pass for another one in the certificate's URI.
  if (!named.success || name.chainId.includes('/')) {
    throw new IdentityError('chain id, provider address or node id are not of the form that the chain allows');
  }
  const rootCertificate = await issueRoot(keys.root, name.provider, around);
  const nodeCertificate = await issueNode({ rootKey: keys.root, rootCertificate, nodeKey: keys.node, name }, around);
  const fresh = `${folder}.${toHex(around.random(8))}`;
  mkdirSync(fresh, { recursive: true, mode: 0o700 });
  try {
    writeNewFile(join(fresh, files.name), `${JSON.stringify(named.data, undefined, 2)}\n`);
    writeNewFile(join(fresh, files.rootKey), toPem(keys.root));
    writeNewFile(join(fresh, files.rootCertificate), certificatePem(rootCertificate));
    writeNewFile(join(fresh, files.authorityKey), toPem(keys.authority));
    writeNewFile(join(fresh, files.nodeKey), toPem(keys.node));
    writeNewFile(join(fresh, files.nodeCertificate), certificatePem(nodeCertificate));
    writeNewFile(join(fresh, files.encryptionKey), toPem(keys.encryption));
    syncFolder(fresh);
    renameSync(fresh, folder);
    syncFolder(dirname(folder));
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
  return loadIdentity(folder);
}

/**
 * Reads an identity. The node's certificate says which root, node key and name hold: while a rotation is under way the new
 * ones stand beside the old ones, and the replacement of this one file is the switch.
 * @throws IdentityError when a file is missing, wrong, or open to others
 */
export function loadIdentity(folder: string): Identity {
  const key = (file: string, kind: 'ed25519' | 'p256' | 'x25519') => fromPem(readPrivate(folder, file), kind);
  const both = <T>(now: string, next: string, read: (file: string) => T): T[] =>
    existsSync(join(folder, next)) ? [read(now), read(next)] : [read(now)];
  const present = (...names: string[]): string[] => names.filter((file) => existsSync(join(folder, file)));
  try {
    const names = both(files.name, nextFiles.name, (file) => readName(folder, file));
    const nodeCertificate = new X509Certificate(readPrivate(folder, files.nodeCertificate));
    const root = both(
      files.rootCertificate,
      nextFiles.rootCertificate,
      (file) => new X509Certificate(readPrivate(folder, file)),
    ).find(({ publicKey }) => nodeCertificate.verify(publicKey));
    const nodeKey = both(files.nodeKey, nextFiles.nodeKey, (file) => key(file, 'ed25519')).find((one) =>
      nodeCertificate.checkPrivateKey(one),
    );
    if (nodeKey === undefined) throw new Error(`${files.nodeCertificate} is not of ${files.nodeKey}`);
    if (root === undefined) throw new Error(`${files.nodeCertificate} is not of the root`);
    const named = names.find(({ name }) => nodeCertificate.subjectAltName === `URI:${nodeUri(name)}`);
    if (named === undefined) throw new Error(`${files.nodeCertificate} names somebody else`);
    const encryptionKey = key(files.encryptionKey, 'x25519');
    const [authorityKey] = present(files.authorityKey).map((file) => key(file, 'ed25519'));
    if (authorityKey !== undefined && !equalBytes(rawPublicKey(authorityKey), named.authorityPublicKey))
      throw new Error(`${files.authorityKey} is another authority’s`);
    return {
      folder,
      name: named.name,
      rootCertificate: new Uint8Array(root.raw),
      rootKey: present(files.rootKey, nextFiles.rootKey)
        .map((file) => key(file, 'p256'))
        .find((one) => root.checkPrivateKey(one)),
      authorityKey,
      authorityPublicKey: named.authorityPublicKey,
      nodeKey,
      nodePublicKey: rawPublicKey(nodeKey),
      nodeCertificate: tlsCertificate(new Uint8Array(nodeCertificate.raw)),
      encryptionKey,
      encryptionPublicKey: rawPublicKey(encryptionKey),
    };
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    throw new IdentityError(`${folder}: ${(error as Error).message}`);
  }
}

function readName(folder: string, file: string): { name: NodeName; authorityPublicKey: Uint8Array } {
  try {
    const { chain_id, provider, node_id, authority_public_key } = nameSchema.parse(
      JSON.parse(readPrivate(folder, file)),
    );
    const authorityPublicKey = fromHex(authority_public_key);
    return { name: { chainId: chain_id, provider, nodeId: node_id }, authorityPublicKey };
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    throw new IdentityError(`${join(folder, file)} is not of the form that \`mu-provider init\` writes`);
  }
}

/** A file of the folder, as text. @throws IdentityError when it cannot be read, or others may read it */
export function readPrivate(folder: string, name: string): string {
  const file = join(folder, name);
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw new IdentityError(`${file}: others may read it; run chmod 600 ${file}`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    throw new IdentityError(
      `${file} cannot be read (${(error as Error).message}); \`mu-provider init\` makes an identity`,
    );
  }
}

function tlsCertificate(der: Uint8Array): NodeTlsCertificate {
  const { validFromDate, validToDate } = new X509Certificate(der);
  return { der, notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() };
}

/** When half of the life of the node's certificate is over. */
export function renewalDueMs({ nodeCertificate }: Identity): number {
  return (nodeCertificate.notBeforeMs + nodeCertificate.notAfterMs) / 2;
}

/**
 * The identity with a new node certificate, once half of the old one's life is over; else the same one.
 * @throws IdentityError when it is due and the root's key is not here
 */
export async function renewNodeCertificate(identity: Identity, around: Surroundings): Promise<Identity> {
  if (around.now() < renewalDueMs(identity)) return identity;
  const { rootKey, rootCertificate, nodeKey, name, folder } = identity;
  if (rootKey === undefined) {
    const end = new Date(identity.nodeCertificate.notAfterMs).toISOString();
    throw new IdentityError(`the node’s certificate ends at ${end}: put ${files.rootKey} into ${folder} to renew it`);
  }
  const der = await issueNode({ rootKey, rootCertificate, nodeKey, name }, around);
  replaceFile(join(folder, files.nodeCertificate), certificatePem(der), toHex(around.random(8)));
  return { ...identity, nodeCertificate: tlsCertificate(der) };
}

/** Key and certificate as node:tls takes them. */
export function tlsCredentials({ nodeKey, nodeCertificate, rootCertificate }: Identity): { key: string; cert: string } {
  return { key: toPem(nodeKey), cert: certificatePem(nodeCertificate.der) + certificatePem(rootCertificate) };
}

/** What of a NodeCertificate is free: the rest is the identity's. */
export interface NodeTerms {
  readonly region: string;
  readonly validFromHeight: bigint;
  readonly validToHeight: bigint;
}

/**
 * The node's certificate for the chain and the node authority's signature of it, for MsgAddNode.
 * @throws IdentityError when the authority's key is not here
 */
export function signNodeCertificate(
  identity: Identity,
  terms: NodeTerms,
): { certificate: NodeCertificate; signature: Uint8Array } {
  const { authorityKey, name, nodePublicKey, folder } = identity;
  if (authorityKey === undefined) throw new IdentityError(`put ${files.authorityKey} into ${folder} to certify a node`);
  const certificate: NodeCertificate = {
    provider: name.provider,
    nodeId: name.nodeId,
    publicKey: nodePublicKey,
    ...terms,
  };
  const bytes = nodeSignBytes(name.chainId, NodeCertificate.encode(certificate).finish());
  return { certificate, signature: new Uint8Array(sign(null, bytes, authorityKey)) };
}

/** The node's signature of a usage report, 64 bytes. @throws IdentityError when the report names another node */
export function signUsageReport(identity: Identity, report: UsageReport): Uint8Array {
  if (report.nodeId !== identity.name.nodeId) throw new IdentityError(`the report is of node ${report.nodeId}`);
  const bytes = usageSignBytes(identity.name.chainId, UsageReport.encode(report).finish());
  return new Uint8Array(sign(null, bytes, identity.nodeKey));
}
