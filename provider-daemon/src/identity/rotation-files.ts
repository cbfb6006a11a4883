/**
 * Files of a rotation in the identity's folder: what follows stands beside what holds (`*.next.*`), what was replaced
 * stays until the chain has let go of it (`*.old.*`). Each function does one thing that is whole or not there after a crash.
 */
import type { KeyObject } from 'node:crypto';
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes, toHex } from '@mu/lib/bytes';
import { certificatePem, issueNode, issueRoot, type Surroundings } from './certificates.ts';
import { replaceFile, syncFolder } from './files.ts';
import { type Identity, IdentityError, identityFiles, loadIdentity, nextFiles, readPrivate } from './identity.ts';
import { fromPem, generateKey, rawPublicKey, toPem } from './keys.ts';

const oldRoot = 'root.old.cert.pem';
const oldNode = 'node.old.json';
const oldEncryptionKey = /^encryption\.old-[0-9a-f]{16}\.key\.pem$/;

const has = (folder: string, file: string): boolean => existsSync(join(folder, file));

function write(folder: string, file: string, content: string, { random }: Surroundings): void {
  replaceFile(join(folder, file), content, toHex(random(8)));
}

function move(folder: string, from: string, to: string): void {
  if (!has(folder, from)) return;
  renameSync(join(folder, from), join(folder, to));
  syncFolder(folder);
}

function remove(folder: string, file: string): void {
  rmSync(join(folder, file), { force: true });
  syncFolder(folder);
}

const derOf = (folder: string, file: string): Uint8Array =>
  new Uint8Array(new X509Certificate(readPrivate(folder, file)).raw);

/** The root that is to follow, in DER; undefined where none is. */
export function nextRoot({ folder }: Identity): Uint8Array | undefined {
  return has(folder, nextFiles.rootCertificate) ? derOf(folder, nextFiles.rootCertificate) : undefined;
}

/** Makes it; the certificate comes after its key, and says that both are there. */
export async function makeNextRoot({ folder, name }: Identity, around: Surroundings): Promise<void> {
  const key = generateKey('p256');
  write(folder, nextFiles.rootKey, toPem(key), around);
  write(folder, nextFiles.rootCertificate, certificatePem(await issueRoot(key, name.provider, around)), around);
}

/** Lets the node be certified by the root that follows: from here on that one holds. @throws IdentityError without its key */
export async function switchRoot(identity: Identity, around: Surroundings): Promise<void> {
  const { folder, nodeKey, name } = identity;
  const rootCertificate = derOf(folder, nextFiles.rootCertificate);
  if (!has(folder, nextFiles.rootKey)) throw new IdentityError(`put ${nextFiles.rootKey} into ${folder} to go on`);
  const rootKey = fromPem(readPrivate(folder, nextFiles.rootKey), 'p256');
  const der = await issueNode({ rootKey, rootCertificate, nodeKey, name }, around);
  write(folder, identityFiles.nodeCertificate, certificatePem(der), around);
}

/** Puts the files of the root that holds now into their place, and keeps the old certificate as the one to be retired. */
export function settleRoot({ folder }: Identity, around: Surroundings): void {
  write(folder, oldRoot, readPrivate(folder, identityFiles.rootCertificate), around);
  move(folder, nextFiles.rootKey, identityFiles.rootKey);
  move(folder, nextFiles.rootCertificate, identityFiles.rootCertificate);
}

/** A root that was replaced and is not yet retired, in DER. */
export function replacedRoot({ folder }: Identity): Uint8Array | undefined {
  return has(folder, oldRoot) ? derOf(folder, oldRoot) : undefined;
}

export function forgetRoot({ folder }: Identity): void {
  remove(folder, oldRoot);
}

/** The node that is to follow this one; undefined where none is. */
export function nextNode({ folder }: Identity): { readonly nodeId: string; readonly key: KeyObject } | undefined {
  if (!has(folder, nextFiles.name)) return undefined;
  const { node_id: nodeId } = JSON.parse(readPrivate(folder, nextFiles.name)) as { node_id: string };
  const file = has(folder, nextFiles.nodeKey) ? nextFiles.nodeKey : identityFiles.nodeKey;
  return { nodeId, key: fromPem(readPrivate(folder, file), 'ed25519') };
}

export function makeNextNode({ folder }: Identity, nodeId: string, around: Surroundings): void {
  const name = JSON.parse(readPrivate(folder, identityFiles.name)) as object;
  write(folder, nextFiles.nodeKey, toPem(generateKey('ed25519')), around);
  write(folder, nextFiles.name, `${JSON.stringify({ ...name, node_id: nodeId }, undefined, 2)}\n`, around);
}

/** From here on this machine is the node that follows. @throws IdentityError where the root's key is not here */
export async function switchNode(identity: Identity, around: Surroundings): Promise<void> {
  const { folder, rootKey, rootCertificate } = identity;
  const next = nextNode(identity);
  if (next === undefined) throw new IdentityError(`${folder} has no node that is to follow`);
  if (rootKey === undefined) throw new IdentityError(`put ${identityFiles.rootKey} into ${folder} to certify a node`);
  const name = { ...identity.name, nodeId: next.nodeId };
  const der = await issueNode({ rootKey, rootCertificate, nodeKey: next.key, name }, around);
  write(folder, identityFiles.nodeCertificate, certificatePem(der), around);
}

export function settleNode({ folder }: Identity, around: Surroundings): void {
  const { node_id } = JSON.parse(readPrivate(folder, identityFiles.name)) as { node_id: string };
  write(folder, oldNode, `${JSON.stringify({ node_id })}\n`, around);
  move(folder, nextFiles.nodeKey, identityFiles.nodeKey);
  move(folder, nextFiles.name, identityFiles.name);
}

/** The id of a node that was replaced and stands on the chain still. */
export function replacedNode({ folder }: Identity): string | undefined {
  if (!has(folder, oldNode)) return undefined;
  return (JSON.parse(readPrivate(folder, oldNode)) as { node_id: string }).node_id;
}

export function forgetNode({ folder }: Identity): void {
  remove(folder, oldNode);
}

/** An X25519 key with its public half of 32 bytes, and the file in which it stands. */
export interface HeldKey {
  readonly file: string;
  readonly key: KeyObject;
  readonly publicKey: Uint8Array;
}

function heldKey(folder: string, file: string): HeldKey {
  const key = fromPem(readPrivate(folder, file), 'x25519');
  return { file, key, publicKey: rawPublicKey(key) };
}

export function nextEncryptionKey({ folder }: Identity): HeldKey | undefined {
  return has(folder, nextFiles.encryptionKey) ? heldKey(folder, nextFiles.encryptionKey) : undefined;
}

export function makeNextEncryptionKey({ folder }: Identity, around: Surroundings): void {
  write(folder, nextFiles.encryptionKey, toPem(generateKey('x25519')), around);
}

/** The next key becomes the one that is used; the old one stays, for what is sealed to it. */
export function switchEncryptionKey(
  { folder, encryptionKey, encryptionPublicKey }: Identity,
  around: Surroundings,
): void {
  const next = heldKey(folder, nextFiles.encryptionKey);
  if (!equalBytes(next.publicKey, encryptionPublicKey)) {
    const name = `encryption.old-${toHex(encryptionPublicKey).slice(0, 16)}.key.pem`;
    write(folder, name, toPem(encryptionKey), around);
  }
  move(folder, nextFiles.encryptionKey, identityFiles.encryptionKey);
}

/** Keys that were replaced and not yet thrown away. */
export function replacedEncryptionKeys({ folder }: Pick<Identity, 'folder'>): HeldKey[] {
  return readdirSync(folder)
    .filter((file) => oldEncryptionKey.test(file))
    .sort()
    .map((file) => heldKey(folder, file));
}

export function forgetEncryptionKey({ folder }: Identity, { file }: HeldKey): void {
  remove(folder, file);
}

/**
 * All keys that a manifest may be sealed to, the current one first: read anew, so that a daemon that runs opens what is
 * sealed to the next key, and to the one before.
 * @throws IdentityError
 */
export function encryptionKeysOf(folder: string): KeyObject[] {
  const files = [identityFiles.encryptionKey, nextFiles.encryptionKey].filter((file) => has(folder, file));
  return [...files.map((file) => heldKey(folder, file)), ...replacedEncryptionKeys({ folder })].map(({ key }) => key);
}

/** The identity as it stands on the disk where it holds another certificate than the given one; else undefined. */
export function changedIdentity(identity: Identity): Identity | undefined {
  const der = derOf(identity.folder, identityFiles.nodeCertificate);
  return equalBytes(der, identity.nodeCertificate.der) ? undefined : loadIdentity(identity.folder);
}
