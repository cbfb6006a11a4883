/**
 * Transactions: strict, bounded decoding. Size, depth, unknown fields and non-canonical envelopes are refused before any
 * work is done on them (ASA-2024-012/013, ADR-020, ADR-027). What is signed is kept as received, never re-encoded.
 */
import type { Registry } from '@bufbuild/protobuf';
import { compareBytes } from '@mu/lib/bytes';
import { checkWire, isCanonicalTxRaw } from '@mu/lib/wire';
import { AuthInfo, type Fee, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { BoundedCache } from './bounded-cache.ts';
import { errTxDecode, errUnauthorized } from './errors.ts';
import { sha256 } from './hash.ts';
import { IntegerCheck } from './integers.ts';
import type { MessageRegistry, MessageType } from './message-registry.ts';
import { toMapKey } from './store/sorted-map.ts';

/** Bounds of a transaction that every node shares; they are consensus rules. */
export const txLimits = {
  /** bytes of a whole transaction */
  bytes: 1_048_576,
  /** nested messages inside one another */
  depth: 32,
  /** messages in a transaction */
  messages: 1_000,
} as const;

export interface TxMessage {
  readonly type: MessageType;
  readonly value: unknown;
  /** who must sign this message, by the fields that its definition names */
  readonly signers: readonly Uint8Array[];
}

export interface Tx {
  readonly raw: Uint8Array;
  /** SHA-256 of the raw bytes */
  readonly hash: Uint8Array;
  readonly bodyBytes: Uint8Array;
  readonly authInfoBytes: Uint8Array;
  readonly signatures: readonly Uint8Array[];
  readonly body: TxBody;
  readonly authInfo: AuthInfo & { readonly fee: Fee };
  readonly messages: readonly TxMessage[];
  /** who must sign the transaction: the signers of its messages in order, each once */
  readonly signers: readonly Uint8Array[];
  /** what `perTx` has computed; nobody else touches it */
  readonly derived: unknown[];
}

let derivations = 0;

/**
 * A pure function of a transaction that is computed once for each: a transaction is checked, checked again after every
 * block, proposed and executed, and is one object on all that way. What it returns is as immutable as the transaction.
 */
export function perTx<T extends object>(compute: (tx: Tx) => T): (tx: Tx) => T {
  const place = derivations;
  derivations += 1;
  return (tx) => {
    const known = tx.derived[place];
    if (known !== undefined) return known as T;
    const value = compute(tx);
    tx.derived[place] = value;
    return value;
  };
}

/** How much of decoded transactions is kept between CheckTx, proposal and execution. */
const cacheBounds = { count: 20_000, weight: 64 * 1024 * 1024 } as const;

/** Transactions of at most so many bytes are their own key: comparing takes less time than hashing. */
const shortTx = 4096;

/** @param hash of a transaction that is too long to be its own key */
function keyOf(raw: Uint8Array, hash: Uint8Array | undefined): string {
  // The last character stands in no key that is made of bytes: a hash is never taken for a short transaction.
  return hash === undefined ? toMapKey(raw) : `${toMapKey(hash)}\u0100`;
}

/** About what a decoded transaction takes in memory: its own bytes, their decoded form, and what surrounds them. */
function weightOf(tx: Tx): number {
  return 2048 + 4 * tx.raw.length;
}

export class TxDecoder {
  readonly #descriptors: Registry;
  readonly #messages: MessageRegistry;
  readonly #integers: IntegerCheck;
  readonly #cache = new BoundedCache<Tx>(cacheBounds.count, { of: weightOf, most: cacheBounds.weight });

  constructor(descriptors: Registry, messages: MessageRegistry) {
    this.#descriptors = descriptors;
    this.#messages = messages;
    this.#integers = new IntegerCheck(descriptors);
  }

  /** How often a transaction was found decoded already. */
  get cache(): Pick<BoundedCache<Tx>, 'hits' | 'misses'> {
    return this.#cache;
  }

  /** @throws AbciError tx parse error (2) */
  decode(raw: Uint8Array, bech32Prefix: string): Tx {
    const hash = raw.length <= shortTx ? undefined : sha256(raw);
    const key = keyOf(raw, hash);
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    // The bytes may lie in a buffer of a socket that is larger than they are, or is used again: the copy is the
    // transaction's own for as long as it is kept.
    const tx = this.#decode(new Uint8Array(raw), hash ?? sha256(raw), bech32Prefix);
    this.#cache.set(key, tx);
    return tx;
  }

  /** It is committed: what is kept of it only keeps the garbage collector busy. */
  forget(raw: Uint8Array): void {
    this.#cache.delete(keyOf(raw, raw.length <= shortTx ? undefined : sha256(raw)));
  }

  #decode(raw: Uint8Array, hash: Uint8Array, bech32Prefix: string): Tx {
    if (raw.length === 0) throw errTxDecode.wrap('tx bytes are empty');
    if (raw.length > txLimits.bytes) {
      throw errTxDecode.wrap(`the transaction has ${raw.length} bytes, at most ${txLimits.bytes} are allowed`);
    }
    try {
      return this.#decodeStrict(raw, hash, bech32Prefix);
    } catch (error) {
      // Whatever is wrong with the bytes is the sender's fault and has one code, as in the SDK.
      throw errTxDecode.wrap(error instanceof Error ? error.message : 'not a transaction');
    }
  }

  #decodeStrict(raw: Uint8Array, hash: Uint8Array, bech32Prefix: string): Tx {
    if (!isCanonicalTxRaw(raw)) throw new Error('TxRaw is not encoded canonically (ADR-027)');
    const { bodyBytes, authInfoBytes, signatures } = TxRaw.decode(raw);
    this.#check('cosmos.tx.v1beta1.TxBody', bodyBytes, true);
    this.#check('cosmos.tx.v1beta1.AuthInfo', authInfoBytes, false);
    const body = TxBody.decode(bodyBytes);
    const authInfo = AuthInfo.decode(authInfoBytes);
    if (authInfo.fee === undefined) throw new Error('auth_info.fee is missing');
    this.#integers.check('cosmos.tx.v1beta1.AuthInfo', authInfo);
    if (body.messages.length > txLimits.messages) {
      throw new Error(`${body.messages.length} messages, at most ${txLimits.messages} are allowed`);
    }
    const messages = body.messages.map(({ typeUrl, value }) => {
      const type = this.#messages.get(typeUrl);
      if (type === undefined) throw new Error(`unable to resolve type URL ${typeUrl}`);
      const decoded = type.codec.decode(value);
      this.#integers.check(typeUrl.slice(1), decoded);
      return { type, value: decoded, signers: type.signersOf(decoded, bech32Prefix) };
    });
    return {
      raw,
      hash,
      bodyBytes,
      authInfoBytes,
      signatures,
      body,
      authInfo: authInfo as Tx['authInfo'],
      messages,
      signers: distinct(messages.flatMap((message) => message.signers)),
      derived: [],
    };
  }

  #check(typeName: string, bytes: Uint8Array, allowNonCritical: boolean): void {
    const desc = this.#descriptors.getMessage(typeName);
    if (desc === undefined) throw new Error(`no descriptor of ${typeName}`);
    checkWire(this.#descriptors, desc, bytes, { maxDepth: txLimits.depth, allowNonCritical });
  }
}

function distinct(addresses: readonly Uint8Array[]): Uint8Array[] {
  return addresses.filter((one, at) => addresses.findIndex((other) => compareBytes(one, other) === 0) === at);
}

/** Refuses a transaction of users that names a signer who has no key: only the block itself speaks for a module. */
export function refuseReservedSigners(tx: Tx, reserved: Uint8Array | undefined): void {
  if (reserved !== undefined && tx.signers.some((signer) => compareBytes(signer, reserved) === 0)) {
    throw errUnauthorized.wrap('a module account signs only what the block itself must begin with');
  }
}
