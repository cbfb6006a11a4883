/** Accounts and their numbers. Every access to the store is the SDK's, in its order: gas depends on it. */
import type { Context } from '@mu/framework/context';
import { type KVStore, prefixEnd } from '@mu/framework/store/kv-store';
import { toMapKey } from '@mu/framework/store/sorted-map';
import { moduleAddress } from '@mu/lib/address';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { readU64be, u64be } from '@mu/lib/bytes';
import { Params } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { Any } from 'cosmjs-types/google/protobuf/any';
import { type Account, emptyAccount, fromAny, type ModuleRole } from './account.ts';
import { encodeAccount } from './account-codec.ts';
import { DecodeCache } from './decode-cache.ts';
import { accountKey, accountNumberKey, accountPrefix, numberIndexKey, paramsKey, storeName } from './keys.ts';

/** Names of all module accounts of the chain, each with its permissions (`minter`, `burner`, `staking`). */
export type ModuleAccounts = Readonly<Record<string, readonly string[]>>;

/** A module account with its address, which is computed once. */
interface KnownModule extends ModuleRole {
  readonly address: Uint8Array;
}

export class AccountKeeper {
  readonly #modules: ReadonlyMap<string, KnownModule>;
  readonly #decodedAccounts = new DecodeCache<Account>(20_000);
  readonly #decodedParams = new DecodeCache<Params>(1);
  #lastNamed: { readonly address: Uint8Array; readonly name: string } = { address: new Uint8Array(), name: '' };

  constructor(options: { readonly moduleAccounts: ModuleAccounts }) {
    const names = Object.keys(options.moduleAccounts).sort((a, b) => (a < b ? -1 : 1));
    this.#modules = new Map(
      names.map((name) => {
        const permissions = options.moduleAccounts[name] as readonly string[];
        return [name, { name, permissions, address: moduleAddress(name) }];
      }),
    );
  }

  /** Names of all module accounts, ascending. */
  moduleNames(): string[] {
    return [...this.#modules.keys()];
  }

  /** What genesis set. @throws Error before it */
  params(ctx: Context): Params {
    const bytes = this.#store(ctx).get(paramsKey);
    if (bytes === undefined) throw new Error('the parameters of auth are read before genesis has set them');
    return this.#decodedParams.read('', bytes, () => Params.decode(bytes));
  }

  setParams(ctx: Context, params: Params): void {
    this.#store(ctx).set(paramsKey, Params.encode(params).finish());
  }

  /** @param address raw bytes */
  hasAccount(ctx: Context, address: Uint8Array): boolean {
    return this.#store(ctx).has(accountKey(address));
  }

  /** @param address raw bytes */
  getAccount(ctx: Context, address: Uint8Array): Account | undefined {
    const bytes = this.#store(ctx).get(accountKey(address));
    if (bytes === undefined) return undefined;
    const decode = (): Account => fromAny(Any.decode(bytes), () => address);
    return this.#decodedAccounts.read(this.#nameOf(address), bytes, decode);
  }

  /** The account and its entry in the index by number, touched as the SDK's unique index does. */
  setAccount(ctx: Context, account: Account): void {
    const store = this.#store(ctx);
    const before = this.getAccount(ctx, account.address);
    if (before !== undefined) store.delete(numberIndexKey(before.accountNumber));
    const indexKey = numberIndexKey(account.accountNumber);
    if (store.has(indexKey)) throw new Error(`account number ${account.accountNumber} is taken`);
    store.set(indexKey, account.address);
    const bytes = encodeAccount(account);
    // Nobody reads a million accounts of a genesis soon.
    if (ctx.mode !== 'genesis') this.#decodedAccounts.remember(this.#nameOf(account.address), bytes, account);
    store.set(accountKey(account.address), bytes);
  }

  /** A fresh account with the next number; it is not stored yet. @param address raw bytes */
  newAccount(ctx: Context, address: Uint8Array, module?: ModuleRole): Account {
    return { ...emptyAccount(address, ctx.chain.bech32Prefix, module), accountNumber: this.nextAccountNumber(ctx) };
  }

  /** Makes and stores an account where there is none. @param address raw bytes */
  createAccount(ctx: Context, address: Uint8Array): void {
    this.setAccount(ctx, this.newAccount(ctx, address));
  }

  /** Gives out an account number; the first is 0. */
  nextAccountNumber(ctx: Context): bigint {
    const store = this.#store(ctx);
    const bytes = store.get(accountNumberKey);
    const number = bytes === undefined ? 0n : readU64be(bytes);
    this.setNextAccountNumber(ctx, number + 1n);
    return number;
  }

  /** Numbers below are given away. */
  setNextAccountNumber(ctx: Context, number: bigint): void {
    this.#store(ctx).set(accountNumberKey, u64be(number));
  }

  /** In bech32. @throws Error for a module that has no account */
  moduleAddress(ctx: Context, name: string): string {
    return toBech32(ctx.chain.bech32Prefix, this.moduleAddressBytes(name));
  }

  /** Raw bytes. @throws Error for a module that has no account */
  moduleAddressBytes(name: string): Uint8Array {
    return this.#module(name).address;
  }

  /** Whether the module may mint, burn or stake. @throws Error for a module that has no account */
  hasPermission(name: string, permission: string): boolean {
    return this.#module(name).permissions.includes(permission);
  }

  /** The account of a module; made when it is asked for the first time, as the SDK does. */
  getModuleAccount(ctx: Context, name: string): Account {
    const { address, permissions } = this.#module(name);
    const found = this.getAccount(ctx, address);
    if (found !== undefined) {
      if (found.module === undefined) throw new Error(`the account of module ${name} is not a module account`);
      return found;
    }
    const account = this.newAccount(ctx, address, { name, permissions });
    this.setAccount(ctx, account);
    return account;
  }

  /** The raw address behind an account number. */
  addressByNumber(ctx: Context, accountNumber: bigint): Uint8Array | undefined {
    return this.#store(ctx).get(numberIndexKey(accountNumber));
  }

  /** All accounts by raw address, ascending. */
  *accounts(ctx: Context): IterableIterator<Account> {
    for (const [key, value] of this.#store(ctx).iterate(accountPrefix, prefixEnd(accountPrefix))) {
      yield fromAny(Any.decode(value), () => key.slice(1));
    }
  }

  /** The account of an Any, its address checked against the chain's prefix. @throws Error */
  parse(ctx: Context, any: Any): Account {
    return fromAny(any, (text) => fromBech32(text, ctx.chain.bech32Prefix));
  }

  /** What an account is remembered under. The checks of a transaction ask for one account six times in a row. */
  #nameOf(address: Uint8Array): string {
    if (this.#lastNamed.address !== address) this.#lastNamed = { address, name: toMapKey(address) };
    return this.#lastNamed.name;
  }

  #module(name: string): KnownModule {
    const known = this.#modules.get(name);
    if (known === undefined) throw new Error(`module account ${name} does not exist`);
    return known;
  }

  #store(ctx: Context): KVStore {
    return ctx.store(storeName);
  }
}
