/** Runs the steps of a vector made by scripts/vectors through an application of auth and bank alone. */
import { readFileSync } from 'node:fs';
import { BaseApp } from '@mu/framework/base-app';
import type { Context } from '@mu/framework/context';
import type { AppModule, Json } from '@mu/framework/module';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { fromBase64, toBase64, toHex, utf8 } from '@mu/lib/bytes';
import { registry } from '@mu/proto/registry';
import { createAnte, parseGasPrices } from '@mu/x-auth/ante';
import { createAuthModule } from '@mu/x-auth/module';
import { SignatureVerifier } from '@mu/x-auth/signatures';
import { ConsensusKeeper } from '@mu/x-consensus/keeper';
import {
  type Event,
  RequestCheckTx,
  RequestFinalizeBlock,
  RequestInitChain,
  RequestQuery,
} from 'cosmjs-types/tendermint/abci/types';
import type { BankKeeper } from '../src/keeper.ts';
import { createBankModule } from '../src/module.ts';
import { accountBalances } from '../src/state.ts';

/** What became of a transaction, as vectors have it. */
export interface Result {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly gas_wanted: number;
  readonly gas_used: number;
  readonly data: string;
  readonly events: readonly (readonly [string, readonly (readonly [string, string])[]])[];
}

/** key → value, or null where it is deleted, in hex; by store */
export type Changes = Record<'acc' | 'bank', Record<string, string | null>>;

export interface BlockStep {
  readonly kind: 'block';
  readonly height: number;
  readonly time: string;
  readonly txs: readonly { readonly name: string; readonly tx: string; readonly result: Result }[];
  readonly changes: Changes;
}

export interface QuestionStep {
  readonly kind: 'check' | 'recheck' | 'simulate';
  readonly name: string;
  readonly tx: string;
  readonly result: Result;
}

export interface Vector {
  readonly chain_id: string;
  readonly bech32_prefix: string;
  readonly max_gas: string;
  readonly min_gas_prices: string;
  readonly first_height: number;
  readonly genesis: { readonly auth: Json; readonly bank: Json };
  readonly start: Changes;
  readonly steps: readonly (BlockStep | QuestionStep)[];
  readonly queries: readonly Query[];
}

/** A gRPC query over ABCI and its answer; bytes in base64. */
export interface Query {
  readonly name: string;
  readonly path: string;
  readonly data: string;
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly value: string;
}

export function readVector(name: string): Vector {
  return JSON.parse(readFileSync(new URL(`./vectors/${name}.json`, import.meta.url), 'utf8')) as Vector;
}

/** The module accounts of the Go chain that the vectors come from. */
const moduleAccounts = {
  fee_collector: [],
  distribution: [],
  mint: ['minter'],
  bonded_tokens_pool: ['burner', 'staking'],
  not_bonded_tokens_pool: ['burner', 'staking'],
  gov: ['burner'],
} as const;

/** Does what the SDK's distribution does to the bank: the fees of the last block leave the fee collector. */
function feeSweep(bank: BankKeeper, collector: Uint8Array): AppModule {
  return {
    name: 'sweep',
    storeName: 'sweep',
    consensusVersion: 1n,
    invariants: [],
    genesis: { defaults: () => ({}), validate: () => undefined, init: () => undefined, export: () => ({}) },
    registerMsgs: () => undefined,
    registerQueries: () => undefined,
    beginBlock(ctx: Context) {
      const fees = [...accountBalances(ctx, collector)];
      if (fees.length > 0) bank.sendFromModuleToModule(ctx, 'fee_collector', 'distribution', fees);
    },
  };
}

export class GoldenChain {
  readonly store = new MemoryCommitStore(['app', 'consensus', 'acc', 'bank', 'sweep']);
  readonly app: BaseApp;
  readonly signatures: SignatureVerifier;
  readonly #vector: Vector;

  /** @param cachedSignatures how many verified signatures are remembered */
  constructor(vector: Vector, cachedSignatures = 1_000) {
    const auth = createAuthModule({ moduleAccounts });
    const blocked = Object.keys(moduleAccounts).filter((name) => name !== 'gov');
    const bank = createBankModule({ auth: auth.keeper, blocked });
    this.signatures = new SignatureVerifier(cachedSignatures);
    this.#vector = vector;
    this.app = new BaseApp({
      name: 'golden',
      version: '1',
      store: this.store,
      modules: [auth, bank, feeSweep(bank.keeper, auth.keeper.moduleAddressBytes('fee_collector'))],
      descriptors: registry,
      params: new ConsensusKeeper(),
      ante: createAnte({
        auth: auth.keeper,
        bank: bank.keeper,
        minGasPrices: parseGasPrices(vector.min_gas_prices),
        signatures: this.signatures,
      }),
      checkInvariants: true,
    });
  }

  init(): void {
    const vector = this.#vector;
    const state = { app: { bech32_prefix: vector.bech32_prefix, denom: 'stake' }, ...vector.genesis };
    this.app.initChain(
      RequestInitChain.fromPartial({
        chainId: vector.chain_id,
        appStateBytes: utf8(JSON.stringify(state)),
        initialHeight: BigInt(vector.first_height),
        consensusParams: { block: { maxBytes: 22_020_096n, maxGas: BigInt(vector.max_gas) } },
      }),
    );
  }

  /** Runs a block and commits it. */
  block(step: Pick<BlockStep, 'height' | 'time'>, txs: readonly string[]): Result[] {
    const answer = this.app.finalizeBlock(
      RequestFinalizeBlock.fromPartial({
        height: BigInt(step.height),
        time: { seconds: secondsOf(step.time), nanos: 0 },
        txs: txs.map(fromBase64),
      }),
    );
    this.app.commit();
    return answer.txResults.map(toResult);
  }

  check(tx: string): Result {
    return toResult(this.app.checkTx(RequestCheckTx.fromPartial({ tx: fromBase64(tx) })));
  }

  query({ path, data }: Pick<Query, 'path' | 'data'>): Omit<Query, 'name' | 'path' | 'data'> {
    const answer = this.app.query(RequestQuery.fromPartial({ path, data: fromBase64(data) }));
    const { code, codespace, log, value } = answer;
    return { code, codespace, log, value: toBase64(value) };
  }

  simulate(tx: string): Result {
    const { failure, gasWanted, gasUsed, data, events } = this.app.simulate(fromBase64(tx));
    return {
      code: failure?.code ?? 0,
      codespace: failure?.codespace ?? '',
      log: failure?.log ?? '',
      gas_wanted: Number(BigInt.asIntN(64, gasWanted)),
      gas_used: Number(gasUsed),
      data: toBase64(data),
      events: events.map(({ type, attributes }) => [type, attributes.map(([key, value]) => [key, value])]),
    };
  }

  /** All pairs of a store in hex. */
  dump(name: 'acc' | 'bank'): Record<string, string> {
    return Object.fromEntries([...this.store.store(name).iterate()].map(([key, value]) => [toHex(key), toHex(value)]));
  }
}

function secondsOf(time: string): bigint {
  return BigInt(Date.parse(time)) / 1000n;
}

function toResult(result: {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  readonly data: Uint8Array;
  readonly events: readonly Event[];
}): Result {
  const { code, codespace, log, gasWanted, gasUsed, data, events } = result;
  return {
    code,
    codespace,
    log,
    gas_wanted: Number(gasWanted),
    gas_used: Number(gasUsed),
    data: toBase64(data),
    events: events.map(({ type, attributes }) => [type, attributes.map(({ key, value }) => [key, value])]),
  };
}

/** The state of both stores as the vector's changes lead to it. */
export class StoreStates {
  acc: Record<string, string> = {};
  bank: Record<string, string> = {};

  constructor(start: Changes) {
    this.apply(start);
  }

  apply(changes: Changes): void {
    this.acc = applied(this.acc, changes.acc);
    this.bank = applied(this.bank, changes.bank);
  }
}

function applied(
  state: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const next = { ...state };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete next[key];
    else next[key] = value;
  }
  return next;
}
