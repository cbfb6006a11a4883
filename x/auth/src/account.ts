/** Accounts: what stands in the state is an Any of a BaseAccount or of a ModuleAccount, as in the SDK. */
import { toBech32 } from '@mu/lib/bech32';
import { BaseAccount, ModuleAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { Any } from 'cosmjs-types/google/protobuf/any';

/** An account of a key, or of a module when `module` is set. */
export interface Account {
  /** raw bytes */
  readonly address: Uint8Array;
  /** the same in bech32 */
  readonly addressText: string;
  /** unknown until the account has signed once; modules have none */
  readonly pubKey: Any | undefined;
  readonly accountNumber: bigint;
  /** of the next transaction */
  readonly sequence: bigint;
  readonly module: ModuleRole | undefined;
}

/** What makes an account a module's. */
export interface ModuleRole {
  readonly name: string;
  /** of `minter`, `burner`, `staking` */
  readonly permissions: readonly string[];
}

export const baseAccountUrl = '/cosmos.auth.v1beta1.BaseAccount';
export const moduleAccountUrl = '/cosmos.auth.v1beta1.ModuleAccount';
export const secp256k1Url = '/cosmos.crypto.secp256k1.PubKey';

/** An account that has done nothing yet. @param address raw bytes */
export function emptyAccount(address: Uint8Array, bech32Prefix: string, module?: ModuleRole): Account {
  const addressText = toBech32(bech32Prefix, address);
  return { address, addressText, pubKey: undefined, accountNumber: 0n, sequence: 0n, module };
}

function toBase(account: Account): BaseAccount {
  const { addressText, pubKey, accountNumber, sequence } = account;
  const base = { address: addressText, accountNumber, sequence };
  return pubKey === undefined ? base : { ...base, pubKey };
}

/** The account as an Any: in the state, in genesis and in answers to queries. */
export function toAny(account: Account): Any {
  const base = toBase(account);
  if (account.module === undefined) return { typeUrl: baseAccountUrl, value: BaseAccount.encode(base).finish() };
  const { name, permissions } = account.module;
  const value = ModuleAccount.encode({ baseAccount: base, name, permissions: [...permissions] }).finish();
  return { typeUrl: moduleAccountUrl, value };
}

/**
 * The account of an Any.
 * @param addressOf the raw bytes of the address text that it holds
 * @throws Error on an account of another type
 */
export function fromAny({ typeUrl, value }: Any, addressOf: (text: string) => Uint8Array): Account {
  if (typeUrl === baseAccountUrl) return fromBase(BaseAccount.decode(value), addressOf, undefined);
  if (typeUrl === moduleAccountUrl) {
    const { baseAccount, name, permissions } = ModuleAccount.decode(value);
    if (baseAccount === undefined) throw new Error('a module account without its base account');
    return fromBase(baseAccount, addressOf, { name, permissions });
  }
  throw new Error(`accounts of type ${typeUrl} are not known to this chain`);
}

function fromBase(base: BaseAccount, addressOf: (text: string) => Uint8Array, module: ModuleRole | undefined): Account {
  const { address: addressText, pubKey, accountNumber, sequence } = base;
  return { address: addressOf(addressText), addressText, pubKey, accountNumber, sequence, module };
}

/** A compressed secp256k1 key as the state holds it, whatever way a transaction wrote it. */
export function secp256k1Any(key: Uint8Array): Any {
  return Any.fromPartial({ typeUrl: secp256k1Url, value: PubKey.encode(PubKey.fromPartial({ key })).finish() });
}

/** The key of an Any of a secp256k1 key. @throws Error on bytes that are no such message */
export function secp256k1KeyOf({ value }: Any): Uint8Array {
  // As everybody writes it: one field, 33 bytes. Anything else is for the generated code to read.
  if (value.length === 35 && value[0] === 0x0a && value[1] === 33) return value.subarray(2);
  return PubKey.decode(value).key;
}
