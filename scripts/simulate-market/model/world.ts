/** The model's state: lists of records, a journal that takes a failed message back, and who was touched in a block. */
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import type { Params as BillingParams } from '@mu/proto/billing';
import type { Params as DeploymentParams } from '@mu/proto/deployment';
import type { Params as MarketParams } from '@mu/proto/market';
import type { Params as ProviderParams } from '@mu/proto/provider';
import type { Kind, ModelAccount, ModelRecord, ModelSingle, OfKind } from './records.ts';
import { Refusal } from './refusal.ts';

export const denom = 'umu';
export const prefix = 'mu';

/** Addresses of the modules' accounts. */
export const accounts = Object.fromEntries(
  ['fee_collector', 'provider', 'market', 'billing'].map((name) => [name, toBech32(prefix, moduleAddress(name))]),
) as { readonly [name in 'fee_collector' | 'provider' | 'market' | 'billing']: string };

/** Module accounts take coins from their modules alone. */
export const isModule = (address: string): boolean => Object.values(accounts).includes(address);

export interface Interest {
  readonly start: bigint;
  readonly minted: bigint;
  readonly total: bigint;
}

interface Singles {
  supply: bigint;
  provider: ProviderParams;
  deployment: DeploymentParams;
  market: MarketParams;
  billing: BillingParams;
  interest: Interest;
  lastBid: bigint;
  lastLease: bigint;
}

export interface WorldOptions {
  readonly chainId: string;
  readonly authority: string;
  readonly params: Pick<Singles, 'provider' | 'deployment' | 'market' | 'billing'>;
  readonly balances: readonly (readonly [address: string, amount: bigint])[];
}

type Lists = { [K in Kind]: OfKind<K>[] };

const kinds: readonly Kind[] = [
  'provider',
  'list',
  'node',
  'attestation',
  'deployment',
  'order',
  'bid',
  'lease',
  'escrow',
  'share',
  'usage',
  'total',
  'line',
  'account',
  'single',
  'owner',
];

export class World {
  readonly chainId: string;
  readonly authority: string;
  height = 0n;
  /** SHA-256 of the transaction that is carried out; empty at the end of a block */
  txHash: Uint8Array = new Uint8Array();
  readonly lists = Object.fromEntries(kinds.map((kind) => [kind, []])) as unknown as Lists;
  readonly touched = new Set<ModelRecord>();
  #undo: (() => void)[] = [];

  constructor({ chainId, authority, params, balances }: WorldOptions) {
    this.chainId = chainId;
    this.authority = authority;
    const supply = balances.reduce((sum, [, amount]) => sum + amount, 0n);
    const interest: Interest = { start: 0n, minted: 0n, total: 0n };
    const singles: Singles = { ...params, supply, interest, lastBid: 0n, lastLease: 0n };
    for (const [name, value] of Object.entries(singles)) {
      this.add({ kind: 'single', name: name as ModelSingle['name'], value });
    }
    for (const [address, balance] of balances) this.add({ kind: 'account', address, balance, sequence: 0n });
  }

  single<N extends keyof Singles>(name: N): Singles[N] {
    return this.#single(name).value as Singles[N];
  }

  setSingle<N extends keyof Singles>(name: N, value: Singles[N]): void {
    this.change(this.#single(name), { value });
  }

  #single(name: string): ModelSingle {
    return this.lists.single.find((one) => one.name === name) as ModelSingle;
  }

  add<R extends ModelRecord>(record: R): R {
    const list = this.lists[record.kind] as ModelRecord[];
    list.push(record);
    this.touched.add(record);
    this.#undo.push(() => void list.splice(list.indexOf(record), 1));
    return record;
  }

  change<R extends ModelRecord>(record: R, patch: Partial<R>): void {
    const before = { ...record };
    Object.assign(record, patch);
    this.touched.add(record);
    this.#undo.push(() => void Object.assign(record, before));
  }

  remove(record: ModelRecord): void {
    const list = this.lists[record.kind] as ModelRecord[];
    const at = list.indexOf(record);
    list.splice(at, 1);
    this.touched.add(record);
    this.#undo.push(() => void list.splice(at, 0, record));
  }

  has(record: ModelRecord): boolean {
    return (this.lists[record.kind] as ModelRecord[]).includes(record);
  }

  /** All of it or nothing. @throws Refusal after everything was taken back */
  whole<T>(step: () => T): T {
    const outer = this.#undo;
    this.#undo = [];
    try {
      const result = step();
      outer.push(...this.#undo);
      return result;
    } catch (error) {
      for (const undo of this.#undo.reverse()) undo();
      throw error;
    } finally {
      this.#undo = outer;
    }
  }

  /** What is done is done: nothing before this line is taken back. */
  settle(): void {
    this.#undo = [];
  }

  account(address: string): ModelAccount {
    const known = this.lists.account.find((one) => one.address === address);
    return known ?? this.add({ kind: 'account', address, balance: 0n, sequence: 0n });
  }

  balance(address: string): bigint {
    return this.lists.account.find((one) => one.address === address)?.balance ?? 0n;
  }

  /** @throws Refusal insufficient funds */
  move(from: string, to: string, amount: bigint): void {
    if (amount === 0n) return;
    const payer = this.account(from);
    if (payer.balance < amount) throw new Refusal('sdk', 5);
    this.change(payer, { balance: payer.balance - amount });
    const receiver = this.account(to);
    this.change(receiver, { balance: receiver.balance + amount });
  }

  /** Pays the first of the accounts that can receive: modules take coins from nobody. @returns whether one could */
  payFirst(from: string, receivers: readonly string[], amount: bigint): boolean {
    const receiver = receivers.find((one) => !isModule(one));
    if (receiver === undefined) return false;
    this.move(from, receiver, amount);
    return true;
  }

  burn(from: string, amount: bigint): void {
    const payer = this.account(from);
    this.change(payer, { balance: payer.balance - amount });
    this.setSingle('supply', this.single('supply') - amount);
  }

  mint(to: string, amount: bigint): void {
    const receiver = this.account(to);
    this.change(receiver, { balance: receiver.balance + amount });
    this.setSingle('supply', this.single('supply') + amount);
  }
}

/** Order of addresses: by their bytes, as keys of the state have it. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
