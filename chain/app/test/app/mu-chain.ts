/** The Mu application driven by hand: signed transactions go in, blocks are proposed, checked, executed and committed. */
import { createPrivateKey, sign } from 'node:crypto';
import { DirectSecp256k1Wallet, encodePubkey, makeAuthInfoBytes, makeSignDoc } from '@cosmjs/proto-signing';
import type { BaseApp } from '@mu/framework/base-app';
import type { Json } from '@mu/framework/module';
import type { CommitStore } from '@mu/framework/store/commit-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { concatBytes, fromHex, toHex, utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { BaseAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { QueryAccountRequest, QueryAccountResponse } from 'cosmjs-types/cosmos/auth/v1beta1/query';
import {
  QueryBalanceRequest,
  QueryBalanceResponse,
  QuerySupplyOfRequest,
  QuerySupplyOfResponse,
} from 'cosmjs-types/cosmos/bank/v1beta1/query';
import { TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { Any } from 'cosmjs-types/google/protobuf/any';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import {
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  RequestProcessProposal,
  RequestQuery,
  ResponseProcessProposal_ProposalStatus as Status,
} from 'cosmjs-types/tendermint/abci/types';
import { createMuApp, defaultAppState, type MuAppOptions, muStoreNames } from '../../src/mu-app.ts';
import { addAccount, newGenesis } from '../../src/node/genesis.ts';

export const chainId = 'mu-story-1';
export const denom = 'umu';
/** What every account begins with, in umu. */
export const funds = 1_000_000_000n;
/** Fee of every transaction, in umu. */
export const fee = 500n;
const gasLimit = 2_000_000;
export const genesisSeconds = 1_767_225_600n;

export type AppState = { [module: string]: Json };

/** An account whose key is made of its name: the same in every run. */
export interface Account {
  readonly name: string;
  readonly address: string;
  readonly wallet: DirectSecp256k1Wallet;
}

export async function accountOf(name: string): Promise<Account> {
  const wallet = await DirectSecp256k1Wallet.fromKey(sha256(utf8(`account ${name}`)), 'mu');
  const [first] = await wallet.getAccounts();
  if (first === undefined) throw new Error('a wallet of one key has an account');
  return { name, address: first.address, wallet };
}

/** An Ed25519 key (RFC 8032) made of a name. */
export class NodeKey {
  readonly #key;
  readonly publicKey: Uint8Array;

  constructor(name: string) {
    const der = concatBytes(fromHex('302e020100300506032b657004220420'), sha256(utf8(`node ${name}`)));
    this.#key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
    this.publicKey = new Uint8Array(Buffer.from(this.#key.export({ format: 'jwk' }).x as string, 'base64url'));
  }

  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#key));
  }
}

/** Genesis of a chain of blocks in which these accounts have funds; `change` may alter the modules' parts. */
export function genesisFor(accounts: readonly Account[], change: (state: AppState) => AppState = (s) => s): AppState {
  const appState = change(defaultAppState({ bech32Prefix: 'mu', denom }));
  const empty = newGenesis({ chainId, time: '2026-01-01T00:00:00Z', validators: [], appState });
  return accounts.reduce((genesis, { address }) => addAccount(genesis, address, `${funds}${denom}`), empty).app_state;
}

/** The same genesis with this account as the one that may plan upgrades and change the standard modules' parameters. */
export function withAuthority(state: AppState, { address }: Account): AppState {
  return { ...state, app: { ...(state['app'] as object), authority: address } };
}

/** How a chain of this state begins. */
export function initChainRequest(state: object): RequestInitChain {
  return RequestInitChain.fromPartial({
    chainId,
    appStateBytes: utf8(JSON.stringify(state)),
    time: { seconds: genesisSeconds, nanos: 0 },
    consensusParams: { block: { maxBytes: 2_097_152n, maxGas: 100_000_000n } },
  });
}

/** A message with its type, as ts-proto or cosmjs-types make them. */
export type Codec<T> = { encode(message: T): { finish(): Uint8Array } } & (
  | { readonly $type: string }
  | { readonly typeUrl: string }
);

export const any = <T>(codec: Codec<T>, message: T): Any =>
  Any.fromPartial({
    typeUrl: '$type' in codec ? `/${codec.$type}` : codec.typeUrl,
    value: codec.encode(message).finish(),
  });

/** A transaction that waits for the next block. */
export interface Wish {
  readonly from: Account;
  readonly messages: readonly Any[];
}

/** A block as it went in, so that another node can be fed the same. */
export interface FedBlock {
  readonly height: bigint;
  readonly txs: readonly Uint8Array[];
}

export interface BlockDone extends FedBlock {
  /** results of the wishes, without the transaction that the block began with */
  readonly results: readonly ExecTxResult[];
  /** the transaction that the state called for, where it did */
  readonly injected: { readonly raw: Uint8Array; readonly result: ExecTxResult } | undefined;
  readonly appHash: string;
}

interface Source<Q, A> {
  readonly path: string;
  readonly request: { encode(message: Q): { finish(): Uint8Array } };
  readonly answer: { decode(bytes: Uint8Array): A };
}

export class MuChain {
  readonly app: BaseApp;
  height: bigint;
  readonly blocks: BlockDone[] = [];

  private constructor(app: BaseApp, height: bigint) {
    this.app = app;
    this.height = height;
  }

  /** A chain that begins with this state at `initialHeight`. */
  static begin(state: AppState, store?: CommitStore, initialHeight = 1n, options: Partial<MuAppOptions> = {}): MuChain {
    const kept = store ?? new MemoryCommitStore(muStoreNames);
    const app = createMuApp({ store: kept, checkInvariants: true, ...options });
    app.initChain({ ...initChainRequest(state), initialHeight });
    return new MuChain(app, initialHeight - 1n);
  }

  /** A chain that goes on from what a store holds. */
  static resume(store: CommitStore, options: Partial<MuAppOptions> = {}): MuChain {
    const app = createMuApp({ store, checkInvariants: true, ...options });
    return new MuChain(app, app.info().lastBlockHeight);
  }

  /** Signs, proposes, checks the proposal, executes and commits one block. */
  async block(...wishes: readonly Wish[]): Promise<BlockDone> {
    const height = this.height + 1n;
    const txs = await this.#sign(wishes);
    const proposed = this.app.prepareProposal(
      RequestPrepareProposal.fromPartial({ height, txs, maxTxBytes: 2_000_000n }),
    );
    if (this.process(proposed.txs) !== Status.ACCEPT) throw new Error(`block ${height} is refused by its own check`);
    return this.feed({ height, txs: proposed.txs }, wishes.length);
  }

  /** The transaction with which the next block must begin; undefined when nothing is due. */
  due(): Uint8Array | undefined {
    const request = RequestPrepareProposal.fromPartial({ height: this.height + 1n, txs: [], maxTxBytes: 2_000_000n });
    return this.app.prepareProposal(request).txs[0];
  }

  /** What this node thinks of a proposal for the next block. */
  process(txs: readonly Uint8Array[]): Status {
    const request = RequestProcessProposal.fromPartial({ height: this.height + 1n, txs: [...txs] });
    return this.app.processProposal(request).status;
  }

  /** Executes and commits a block that was made elsewhere. @param wished how many transactions at its end are users' */
  feed({ height, txs }: FedBlock, wished = 0): BlockDone {
    const time = { seconds: genesisSeconds + height, nanos: 0 };
    const { txResults, appHash } = this.app.finalizeBlock(
      RequestFinalizeBlock.fromPartial({ height, txs: [...txs], time }),
    );
    this.app.commit();
    this.height = height;
    const first = txs.length - wished;
    const [raw, result] = [txs[0], txResults[0]];
    const injected = first === 1 && raw !== undefined && result !== undefined ? { raw, result } : undefined;
    const done = { height, txs, results: txResults.slice(first), injected, appHash: toHex(appHash) };
    this.blocks.push(done);
    return done;
  }

  /** Blocks without users' transactions until the chain is at `height`. */
  async to(height: bigint): Promise<void> {
    while (this.height < height) await this.block();
  }

  /** One message in a block of its own. */
  async run<T>(from: Account, codec: Codec<T>, message: T): Promise<ExecTxResult> {
    const { results } = await this.block({ from, messages: [any(codec, message)] });
    return results[0] as ExecTxResult;
  }

  async #sign(wishes: readonly Wish[]): Promise<Uint8Array[]> {
    const used = new Map<string, bigint>();
    const txs: Uint8Array[] = [];
    for (const { from, messages } of wishes) {
      const { accountNumber, sequence } = this.account(from.address);
      const next = used.get(from.address) ?? sequence;
      used.set(from.address, next + 1n);
      txs.push(await signTx(from, messages, accountNumber, next));
    }
    return txs;
  }

  account(address: string): BaseAccount {
    const source = {
      path: '/cosmos.auth.v1beta1.Query/Account',
      request: QueryAccountRequest,
      answer: QueryAccountResponse,
    };
    return BaseAccount.decode((this.ask(source, QueryAccountRequest.fromPartial({ address })).account as Any).value);
  }

  balance(address: string): bigint {
    const source = {
      path: '/cosmos.bank.v1beta1.Query/Balance',
      request: QueryBalanceRequest,
      answer: QueryBalanceResponse,
    };
    return BigInt(this.ask(source, { address, denom }).balance?.amount ?? '0');
  }

  supply(): bigint {
    const source = {
      path: '/cosmos.bank.v1beta1.Query/SupplyOf',
      request: QuerySupplyOfRequest,
      answer: QuerySupplyOfResponse,
    };
    return BigInt(this.ask(source, { denom }).amount?.amount ?? '0');
  }

  /** @throws Error with the code of a query that is refused */
  ask<Q, A>({ path, request, answer }: Source<Q, A>, message: Q): A {
    const found = this.app.query(RequestQuery.fromPartial({ path, data: request.encode(message).finish() }));
    if (found.code !== 0) throw new Error(`${path}: ${found.codespace} ${found.code} ${found.log}`);
    return answer.decode(found.value);
  }
}

/** A transaction of one signer, SIGN_MODE_DIRECT. */
export async function signTx(
  from: Account,
  messages: readonly Any[],
  accountNumber: bigint,
  sequence: bigint,
): Promise<Uint8Array> {
  const [signer] = await from.wallet.getAccounts();
  if (signer === undefined) throw new Error('a wallet of one key has an account');
  const pubkey = encodePubkey({
    type: 'tendermint/PubKeySecp256k1',
    value: Buffer.from(signer.pubkey).toString('base64'),
  });
  const coins = [{ denom, amount: `${fee}` }];
  const authInfo = makeAuthInfoBytes([{ pubkey, sequence }], coins, gasLimit, undefined, undefined);
  const body = TxBody.encode(TxBody.fromPartial({ messages: [...messages] })).finish();
  const doc = makeSignDoc(body, authInfo, chainId, Number(accountNumber));
  const { signature, signed } = await from.wallet.signDirect(from.address, doc);
  return TxRaw.encode({
    bodyBytes: signed.bodyBytes,
    authInfoBytes: signed.authInfoBytes,
    signatures: [new Uint8Array(Buffer.from(signature.signature, 'base64'))],
  }).finish();
}
