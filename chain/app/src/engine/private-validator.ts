/**
 * The validator's key and what it signed last, in the files and formats of CometBFT (privval/file.go), so that a
 * validator can move between the two engines. What is about to be signed is on the disk before the signature leaves:
 * after any crash the same height is signed the same way, or not at all.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { equalBytes, fromBase64, fromHex, toBase64, toHex } from '@mu/lib/bytes';
import { type Precommit, precommitSignBytes } from '@mu/lib/comet-header';
import { addressOfKey } from '@mu/lib/comet-validators';
import { asInteger, asObject, asText } from './json-values.ts';
import { type Ed25519Key, ed25519Key, privateKeyFromAmino, privateKeyToAmino, publicKeyToAmino } from './keys.ts';
import { extensionSignBytes } from './vote-extension.ts';

const stepPrecommit = 3;

interface SignState {
  height: bigint;
  round: number;
  step: number;
  signature?: Uint8Array;
  signBytes?: Uint8Array;
}

export class PrivateValidator {
  readonly publicKey: Uint8Array;
  /** 20 bytes. */
  readonly address: Uint8Array;
  readonly #key: Ed25519Key;
  readonly #statePath: string;
  #last: SignState;

  /** @param statePath the file of the last signature; it must exist */
  constructor(key: Ed25519Key, statePath: string) {
    this.#key = key;
    this.publicKey = key.publicKey;
    this.address = addressOfKey({ ed25519: key.publicKey });
    this.#statePath = statePath;
    this.#last = readState(statePath);
  }

  /**
   * The signature of a precommit. The same vote again gives the same signature.
   * @throws Error for a height below the last one, or another vote at the same height
   */
  signPrecommit(chainId: string, vote: Precommit): Uint8Array {
    const signBytes = precommitSignBytes(chainId, vote);
    const last = this.#last;
    const order = compareSteps(last, vote);
    if (order > 0) {
      throw new Error(
        `refusing to sign: height ${vote.height} round ${vote.round} is not after height ${last.height} round ${last.round}, which ${this.#statePath} says was signed`,
      );
    }
    if (order === 0) {
      if (last.signature !== undefined && last.signBytes !== undefined && equalBytes(last.signBytes, signBytes)) {
        return last.signature;
      }
      throw new Error(
        `refusing to sign: another block of height ${vote.height} was signed already (conflicting data in ${this.#statePath})`,
      );
    }
    const signature = this.#key.sign(signBytes);
    this.#last = { height: vote.height, round: vote.round, step: stepPrecommit, signature, signBytes };
    writeAtomically(this.#statePath, formatState(this.#last));
    return signature;
  }

  /** The signature of a vote extension. Two for one height are no fault: only precommits are punished. */
  signExtension(chainId: string, height: bigint, extension: Uint8Array): Uint8Array {
    return this.#key.sign(extensionSignBytes(chainId, height, extension));
  }
}

function compareSteps(last: SignState, vote: Precommit): number {
  if (last.height !== vote.height) return last.height > vote.height ? 1 : -1;
  if (last.round !== vote.round) return last.round - vote.round;
  return last.step - stepPrecommit;
}

/** Where a validator's files are. */
export interface ValidatorPaths {
  /** `priv_validator_key.json` */
  key: string;
  /** `priv_validator_state.json` */
  state: string;
}

/** The validator of the files; both are made where the key is missing. @throws Error that names the file */
export function loadOrCreateValidator(paths: ValidatorPaths, seed: () => Uint8Array = randomSeed): PrivateValidator {
  if (!existsSync(paths.key)) {
    const key = ed25519Key(seed());
    writeAtomically(paths.key, formatKey(key));
    writeAtomically(paths.state, formatState({ height: 0n, round: 0, step: 0 }));
  }
  const file = readJson(paths.key);
  const key = privateKeyFromAmino(file['priv_key'], `${paths.key}: priv_key`);
  if (!existsSync(paths.state)) {
    throw new Error(
      `${paths.state} is missing: without it the validator could sign a height twice. Restore it, or, when this key never signed anything, create it with the content ${JSON.stringify(stateJson({ height: 0n, round: 0, step: 0 }))}`,
    );
  }
  return new PrivateValidator(key, paths.state);
}

/** The node's identity of the file, made where it is missing. */
export function loadOrCreateNodeKey(path: string, seed: () => Uint8Array = randomSeed): { id: string } {
  if (!existsSync(path)) {
    writeAtomically(path, JSON.stringify({ priv_key: privateKeyToAmino(ed25519Key(seed())) }));
  }
  const key = privateKeyFromAmino(readJson(path)['priv_key'], `${path}: priv_key`);
  return { id: toHex(addressOfKey({ ed25519: key.publicKey })) };
}

function randomSeed(): Uint8Array {
  return randomBytes(32);
}

function formatKey(key: Ed25519Key): string {
  const publicKey = { ed25519: key.publicKey };
  const json = {
    address: toHex(addressOfKey(publicKey)).toUpperCase(),
    pub_key: publicKeyToAmino(publicKey),
    priv_key: privateKeyToAmino(key),
  };
  return JSON.stringify(json, null, 2);
}

function stateJson(state: SignState): object {
  return {
    height: state.height.toString(),
    round: state.round,
    step: state.step,
    ...(state.signature === undefined ? {} : { signature: toBase64(state.signature) }),
    ...(state.signBytes === undefined ? {} : { signbytes: toHex(state.signBytes).toUpperCase() }),
  };
}

function formatState(state: SignState): string {
  return JSON.stringify(stateJson(state), null, 2);
}

function readState(path: string): SignState {
  const json = readJson(path);
  const signature = asText(json['signature'], `${path}: signature`, '');
  const signBytes = asText(json['signbytes'], `${path}: signbytes`, '');
  return {
    height: asInteger(json['height'], `${path}: height`),
    round: Number(asInteger(json['round'], `${path}: round`)),
    step: Number(asInteger(json['step'], `${path}: step`)),
    ...(signature === '' ? {} : { signature: fromBase64(signature) }),
    ...(signBytes === '' ? {} : { signBytes: fromHex(signBytes) }),
  };
}

function readJson(path: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(readFileSync(path, 'utf8')), path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** A new file in place of the old one, on the disk with its name before this returns; readable by the owner only. */
function writeAtomically(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
