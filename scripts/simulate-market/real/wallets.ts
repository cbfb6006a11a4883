/** Keys of a simulation, all made of names, and the transactions that they sign. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { encodeSecp256k1Pubkey } from '@cosmjs/amino';
import { encodePubkey, makeAuthInfoBytes } from '@cosmjs/proto-signing';
import { secp256k1Address } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { SignDoc, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import secp256k1 from 'secp256k1';
import type { Encoded } from '../model/model.ts';
import { denom, prefix } from '../model/world.ts';

/** SHA-256. */
export const digestOf = (bytes: string | Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(bytes).digest());

/** Far above what any message takes: running out of gas is not what is simulated. */
const gas = 20_000_000;

/** An account that can sign. */
export class Wallet {
  readonly address: string;
  /** in the order of genesis */
  readonly number: bigint;
  readonly #key: Uint8Array;
  readonly #pubkey: ReturnType<typeof encodePubkey>;

  constructor(name: string, number: bigint) {
    this.number = number;
    this.#key = digestOf(`simulated ${name}`);
    const publicKey = secp256k1.publicKeyCreate(this.#key);
    this.#pubkey = encodePubkey(encodeSecp256k1Pubkey(publicKey));
    this.address = toBech32(prefix, secp256k1Address(publicKey));
  }

  /** @returns the bytes of a transaction */
  sign(chainId: string, sequence: bigint, fee: bigint, messages: readonly Encoded[]): Uint8Array {
    const bodyBytes = TxBody.encode(TxBody.fromPartial({ messages: [...messages] })).finish();
    const coins = fee === 0n ? [] : [{ denom, amount: `${fee}` }];
    const signers = [{ pubkey: this.#pubkey, sequence: Number(sequence) }];
    const authInfoBytes = makeAuthInfoBytes(signers, coins, gas, undefined, undefined);
    const doc = SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber: this.number }).finish();
    const { signature } = secp256k1.ecdsaSign(digestOf(doc), this.#key);
    return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [signature] }).finish();
  }
}

/** PKCS #8 of an Ed25519 key up to the key itself (RFC 8410). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** An Ed25519 key of a node or of a provider's node authority. */
export class SigningKey {
  readonly publicKey: Uint8Array;
  readonly #key: KeyObject;

  constructor(name: string) {
    const der = Buffer.concat([pkcs8, digestOf(`simulated key ${name}`)]);
    this.#key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const { x } = createPublicKey(this.#key).export({ format: 'jwk' });
    this.publicKey = new Uint8Array(Buffer.from(x as string, 'base64url'));
  }

  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#key));
  }
}

const keys = new Map<string, SigningKey>();
const byPublicKey = new Map<string, SigningKey>();

/** The key of a name; one is made of it where it is new. */
export function signingKey(name: string): SigningKey {
  const key = keys.get(name) ?? new SigningKey(name);
  keys.set(name, key);
  byPublicKey.set(Buffer.from(key.publicKey).toString('hex'), key);
  return key;
}

/** The key whose public part this is, where it was made here. */
export const signingKeyOf = (publicKey: Uint8Array): SigningKey | undefined =>
  byPublicKey.get(Buffer.from(publicKey).toString('hex'));
