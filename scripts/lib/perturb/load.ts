/**
 * Bank sends into nodes that come and go. Each account hands a few sends to any node and waits until its sequence says
 * that they are committed; what a dying node lost is sent again, as the same transaction.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { BaseAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { QueryAccountRequest, QueryAccountResponse } from 'cosmjs-types/cosmos/auth/v1beta1/query';
import { type Localnet, rpcOf } from '../localnet/layout.ts';
import { abciQuery, callRpc } from '../localnet/rpc.ts';
import { signSend, type TestWallet, txHash } from '../wallets.ts';
import type { Random } from './random.ts';

const burst = 5;
const pollMs = 250;
/** So long the network has for a burst before it is taken for lost. */
const patienceMs = 15_000;

export interface AccountState {
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

/** What a node's committed state says of an account. @throws Error when the node does not answer */
export async function accountAt(rpc: string, address: string, height = 0): Promise<AccountState> {
  const data = QueryAccountRequest.encode({ address }).finish();
  const answer = await abciQuery(rpc, '/cosmos.auth.v1beta1.Query/Account', data, height);
  const { account } = QueryAccountResponse.decode(answer);
  if (account === undefined) throw new Error(`${rpc} does not know ${address}`);
  const { accountNumber, sequence } = BaseAccount.decode(account.value);
  return { accountNumber, sequence };
}

export interface LoadOptions {
  readonly net: Localnet;
  readonly wallets: readonly TestWallet[];
  /** who gets one umu by each send */
  readonly receiver: string;
  readonly random: Random;
}

export class Load {
  /** hashes of all that a node may have taken */
  readonly sent = new Set<string>();
  /** per address, the highest sequence that any node called committed: none of it may ever be lost */
  readonly seen = new Map<string, bigint>();
  readonly #options: LoadOptions;
  readonly #canceled = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = Promise.all(this.#options.wallets.map((wallet) => this.#run(wallet)));
    this.#running.catch(() => undefined);
  }

  /** Ends it; sends that a node has taken may still be committed. @throws Error when the load itself broke */
  async stop(): Promise<void> {
    this.#canceled.abort();
    await this.#running;
  }

  async #run(wallet: TestWallet): Promise<void> {
    while (!this.#canceled.signal.aborted) {
      const account = await this.#ask(wallet);
      const taken = account === undefined ? 0 : await this.#sendBurst(wallet, account);
      if (account === undefined || taken === 0) await pause(pollMs);
      else await this.#untilSequence(wallet, account.sequence + BigInt(taken));
    }
  }

  #node(): string {
    const { net, random } = this.#options;
    return rpcOf(net.nodes[random.below(net.nodes.length)] as Localnet['nodes'][number]);
  }

  /** An account as any node has it, never older than what was seen already. */
  async #ask(wallet: TestWallet): Promise<AccountState | undefined> {
    try {
      const { accountNumber, sequence } = await accountAt(this.#node(), wallet.address);
      const known = this.seen.get(wallet.address) ?? 0n;
      const latest = sequence > known ? sequence : known;
      this.seen.set(wallet.address, latest);
      return { accountNumber, sequence: latest };
    } catch {
      // Dead, paused, or not yet up: the next one is asked.
      return undefined;
    }
  }

  /** @returns how many the node took, one after the other */
  async #sendBurst(wallet: TestWallet, account: AccountState): Promise<number> {
    const { net, receiver } = this.#options;
    const rpc = this.#node();
    for (let taken = 0; taken < burst; taken += 1) {
      const sequence = account.sequence + BigInt(taken);
      const { accountNumber } = account;
      const tx = signSend(wallet, { chainId: net.chainId, accountNumber, sequence, to: receiver });
      // Noted before: a node may take it and die before it says so.
      this.sent.add(txHash(tx));
      if (!(await broadcast(rpc, tx))) return taken;
    }
    return burst;
  }

  async #untilSequence(wallet: TestWallet, wanted: bigint): Promise<void> {
    const end = performance.now() + patienceMs;
    while (performance.now() < end && !this.#canceled.signal.aborted) {
      await pause(pollMs);
      if (((await this.#ask(wallet))?.sequence ?? 0n) >= wanted) return;
    }
  }
}

/** @returns whether the node has it now */
async function broadcast(rpc: string, tx: Uint8Array): Promise<boolean> {
  try {
    const params = { tx: Buffer.from(tx).toString('base64') };
    return (await callRpc<{ code: number }>(rpc, 'broadcast_tx_sync', params)).code === 0;
  } catch (error) {
    // CometBFT has no code for a transaction that it knows already.
    return error instanceof Error && error.message.includes('already exists in cache');
  }
}
