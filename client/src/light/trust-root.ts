/** From what a light client's trust begins: a height with a hash, or the genesis document. */
import { equalBytes, fromBase64, fromHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { addressOfKey, validatorsHash } from '@mu/lib/comet-validators';
import { sha256 } from '@mu/lib/hashes';
import type { PublicKey } from 'cosmjs-types/tendermint/crypto/keys';
import type { Validator } from 'cosmjs-types/tendermint/types/validator';
import { LightError } from './errors.ts';
import { hashOf, hex, type LightBlock, nanosOf, validatorsProblem } from './light-block.ts';
import { verifyCommitLight } from './verify-commit.ts';

/** A block whose hash somebody trusted has named. */
export interface BlockRoot {
  readonly kind: 'block';
  readonly height: bigint;
  readonly hash: Uint8Array;
}

/** The validators of the first block, from the genesis document. */
export interface GenesisRoot {
  readonly kind: 'genesis';
  readonly chainId: string;
  readonly initialHeight: bigint;
  /** nanoseconds since 1970 */
  readonly genesisTimeNs: bigint;
  readonly validators: readonly Validator[];
  /** genesisHash of the document */
  readonly hash: Uint8Array;
}

/** A genesis document whose hash somebody trusted has named; it is fetched only where nothing was verified yet. */
export interface GenesisHashRoot {
  readonly kind: 'genesis_hash';
  readonly hash: Uint8Array;
  readonly document: () => Promise<unknown>;
}

/** What a first block is checked against. */
export type CheckedRoot = BlockRoot | GenesisRoot;
export type TrustRoot = BlockRoot | GenesisHashRoot;

/** The root with its genesis document read. @throws LightError when that has another hash */
export async function resolveRoot(root: TrustRoot): Promise<CheckedRoot> {
  return root.kind === 'block' ? root : genesisRoot(await root.document(), root.hash);
}

/** The root as a text: a trusted store holds what was verified from one root only. */
export function anchorOf(root: TrustRoot): string {
  return root.kind === 'block' ? `block ${root.height} ${hex(root.hash)}` : `genesis ${hex(root.hash)}`;
}

/** The height whose block the root says something about. */
export function rootHeight(root: CheckedRoot): bigint {
  return root.kind === 'block' ? root.height : root.initialHeight;
}

/** @throws LightError when it cannot be a root */
export function checkRoot(root: CheckedRoot, chainId: string): void {
  const refuse = (text: string): never => {
    throw new LightError(text, { kind: 'config' });
  };
  if (rootHeight(root) <= 0n) refuse(`a trusted height must be above 0, not ${rootHeight(root)}`);
  if (root.hash.length !== 32) refuse(`a trusted hash has 32 bytes, not ${root.hash.length}`);
  if (root.kind === 'genesis' && root.chainId !== chainId) {
    refuse(`the genesis is of chain "${root.chainId}", not of "${chainId}"`);
  }
}

/**
 * Checks the first trusted block: that the root means it, and that two thirds of its validators signed it.
 * @throws LightError of kind trust_mismatch, or invalid_header
 */
export function verifyRoot(root: CheckedRoot, block: LightBlock): void {
  const { header, commit, validators } = block;
  const { height } = header;
  const mismatch = (fault: 'header_hash' | 'validators_hash' | 'time', text: string): never => {
    throw new LightError(text, { kind: 'trust_mismatch', fault, height });
  };
  if (root.kind === 'block') {
    if (!equalBytes(hashOf(block), root.hash)) {
      mismatch('header_hash', `the block of height ${height} is ${hex(hashOf(block))}, trusted is ${hex(root.hash)}`);
    }
  } else {
    const expected = validatorsHash(root.validators);
    if (!equalBytes(header.validatorsHash, expected)) {
      mismatch(
        'validators_hash',
        `the first block's validators are ${hex(header.validatorsHash)}, those of the genesis ${hex(expected)}`,
      );
    }
    if (nanosOf(header.time) < root.genesisTimeNs) mismatch('time', 'the first block is older than the genesis');
  }
  verifyCommitLight(header.chainId, validators, { blockId: commit.blockId, height }, commit);
}

/**
 * SHA-256 of the document's RFC 8785 text in CometBFT's form: the same for the file, however it is indented, in CometBFT's
 * form or in the Cosmos SDK's, and for what a node serves of it.
 */
export function genesisHash(document: unknown): Uint8Array {
  return sha256(utf8(canonicalJson(servedForm(document))));
}

/** What a node serves of a genesis file: CometBFT's form, the time as Go writes it. Anything strange stays as it is. */
function servedForm(document: unknown): unknown {
  if (typeof document !== 'object' || document === null) return document;
  const { app_name: _name, app_version: _version, consensus, ...doc } = document as Readonly<Record<string, unknown>>;
  const { genesis_time: time, initial_height: height, app_hash: hash } = doc;
  const { params, ...others } = (consensus ?? {}) as Readonly<Record<string, unknown>>;
  return {
    ...doc,
    ...others,
    ...(params === undefined ? {} : { consensus_params: params }),
    // Go drops the zeros at the end of a fraction.
    genesis_time: typeof time === 'string' ? time.replace(/(\.\d*?)0+Z$/, '$1Z').replace('.Z', 'Z') : time,
    initial_height: String(height ?? '1'),
    app_hash: hash ?? '',
  };
}

/**
 * The root in a genesis document.
 * @param trusted the hash it must have
 * @throws LightError when it has another hash, or cannot be a root
 */
export function genesisRoot(document: unknown, trusted: Uint8Array): GenesisRoot {
  const hash = genesisHash(document);
  if (!equalBytes(hash, trusted)) {
    throw new LightError(`the genesis has hash ${hex(hash)}, trusted is ${hex(trusted)}`, {
      kind: 'trust_mismatch',
      fault: 'genesis',
    });
  }
  const doc = servedForm(document) as Readonly<Record<string, unknown>>;
  const chainId = text(doc['chain_id'], 'chain_id');
  const time = timeNs(text(doc['genesis_time'], 'genesis_time'));
  const initial = BigInt(integer(doc['initial_height'] ?? '1', 'initial_height'));
  const listed = doc['validators'];
  if (!Array.isArray(listed)) malformed('validators are missing: name a trusted height and hash instead');
  const validators = (listed as unknown[]).map(validatorOf).toSorted(byPower);
  const problem = validatorsProblem(validators);
  if (problem !== undefined) malformed(problem.text);
  return {
    kind: 'genesis',
    chainId,
    initialHeight: initial === 0n ? 1n : initial,
    genesisTimeNs: time,
    validators,
    hash,
  };
}

/** A trusted hash as people write it: 64 hex digits. @throws LightError */
export function parseTrustedHash(written: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(written)) {
    throw new LightError(`a trusted hash is 64 hex digits, not "${written}"`, { kind: 'config' });
  }
  return fromHex(written.toLowerCase());
}

function validatorOf(value: unknown, index: number): Validator {
  const place = `validators[${index}]`;
  if (typeof value !== 'object' || value === null) malformed(`${place} is no object`);
  const { pub_key: key, power } = value as Readonly<Record<string, unknown>>;
  const { type, value: encoded } = (key ?? {}) as Readonly<Record<string, unknown>>;
  const pubKey = keyOf(type, fromBase64(text(encoded, `${place}.pub_key.value`)));
  if (pubKey === undefined) malformed(`${place}.pub_key is of no known type`);
  const votingPower = BigInt(integer(power, `${place}.power`));
  return { address: addressOfKey(pubKey as PublicKey), pubKey: pubKey as PublicKey, votingPower, proposerPriority: 0n };
}

function keyOf(type: unknown, bytes: Uint8Array): PublicKey | undefined {
  if (type === 'tendermint/PubKeyEd25519' && bytes.length === 32) return { ed25519: bytes };
  return type === 'tendermint/PubKeySecp256k1' && bytes.length === 33 ? { secp256k1: bytes } : undefined;
}

/** The order of a validator set: greatest power first, equal ones by address. */
function byPower(a: Validator, b: Validator): number {
  if (a.votingPower !== b.votingPower) return a.votingPower > b.votingPower ? -1 : 1;
  return Buffer.compare(a.address, b.address);
}

function text(value: unknown, place: string): string {
  if (typeof value !== 'string') malformed(`${place} is no text`);
  return value as string;
}

function integer(value: unknown, place: string): string {
  const written = String(value);
  if (!/^\d{1,19}$/.test(written)) malformed(`${place} is no integer`);
  return written;
}

function timeNs(written: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(written);
  const seconds = match === null ? Number.NaN : Date.parse(`${match[1]}Z`) / 1000;
  if (Number.isNaN(seconds)) malformed('genesis_time is no time such as 2026-01-01T00:00:00Z');
  return BigInt(seconds) * 1_000_000_000n + BigInt((match?.[2] ?? '').padEnd(9, '0'));
}

function malformed(reason: string): never {
  throw new LightError(`the genesis cannot be a root of trust: ${reason}`, { kind: 'malformed', fault: 'genesis' });
}
