/**
 * Signs and sends transactions of one account, and owns its sequence. Transactions leave one after the other, each without
 * waiting for the block of the one before. When the chain's sequence is not the expected one (somebody else used the key, a
 * node lost its mempool), what is on its way is handed over again and the sequence asked for anew, so that a mismatch never
 * stops a provider; nothing that can still run is signed a second time (`sent-tx.ts`).
 */
import { sha256 } from '@cosmjs/crypto';
import { toHex } from '@cosmjs/encoding';
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { AccountFacts, ChainClient, CommittedTx } from './chain-client.ts';
import { ChainError } from './errors.ts';
import { type Flight, handOver, isWrongSequence, type Patience, pollMs, watchFlight } from './sent-tx.ts';
import { TxSigner, type TxSignerOptions } from './tx-signer.ts';

export { TxPendingError } from './sent-tx.ts';

export interface SenderOptions extends TxSignerOptions {
  readonly client: ChainClient;
  /** the account that signs; the signer's first where absent */
  readonly address?: string;
  /** gas on top of what a simulation says and its margin, for messages that do more in the next block; 0 where absent */
  readonly extraGas?: bigint;
  /** pauses between two looks for a transaction; the real one where absent */
  readonly pause?: (ms: number) => Promise<void>;
}

/** A transaction that a node has accepted into its mempool. */
export interface SentTx {
  /** upper-case hex; that of the CommittedTx is another one where the transaction had to be signed anew */
  readonly hash: string;
  /**
   * Waits until it is in a block.
   * @throws ChainError when it failed there, or was lost (code 30: it did nothing and never will); TxPendingError when it is
   *   not found within the limit and may still come: then this can be called again
   */
  committed(limitMs?: number): Promise<CommittedTx>;
}

/** Of what a simulation says, since a block later the same message may cost a little more. In tenths. */
const gasMargin = 14n;
const defaultLimitMs = 60_000;
/** Blocks that a transaction has to get into one; then it is dead, and its sender knows. */
export const timeoutBlocks = 100n;
/** Beyond any height that a chain reaches. */
const farHeight = 1n << 40n;
/** Tries to find the sequence; from the second on a block is awaited, as somebody else's transaction may be in the mempool. */
const maxTries = 5;
/** Looks for that block. */
const maxBlockLooks = 100;
/** More are not remembered: who waits for none of his transactions needs no memory of all of them. */
const maxFlights = 10_000;
/** How often a transaction whose sequence went to another one is signed anew. */
const maxSuccessors = 3;

export class Sender {
  readonly address: string;
  readonly #options: SenderOptions;
  readonly #signer: TxSigner;
  /** not known to be in a block, in the order in which they left */
  readonly #flights = new Set<Flight>();
  #next: Promise<unknown> = Promise.resolve();
  /** what the next transaction is signed with; undefined: to be asked for */
  #account: AccountFacts | undefined;
  #closed = false;

  private constructor(options: SenderOptions, signer: TxSigner) {
    this.#options = options;
    this.#signer = signer;
    this.address = signer.address;
  }

  static async create(options: SenderOptions): Promise<Sender> {
    const accounts = await options.signer.getAccounts();
    const account =
      options.address === undefined ? accounts[0] : accounts.find(({ address }) => address === options.address);
    if (account === undefined) throw new Error(`the key of ${options.address ?? 'any account'} is not in this wallet`);
    return new Sender(options, new TxSigner(options, account));
  }

  /**
   * Signs these messages as one transaction and hands it to the node.
   * @throws ChainError with the chain's code when the simulation fails (then without a hash) or the node refuses it
   */
  async send(messages: readonly EncodeObject[], memo = ''): Promise<SentTx> {
    const flight = await this.#takeTurn(messages, memo);
    return { hash: flight.name, committed: (limitMs = defaultLimitMs) => this.#settle(flight, limitMs) };
  }

  /** Sends and waits for the block. @throws ChainError, TxPendingError */
  async sendAndWait(messages: readonly EncodeObject[], memo = ''): Promise<CommittedTx> {
    const sent = await this.send(messages, memo);
    return sent.committed();
  }

  /** Ends all waiting with a TxPendingError. */
  close(): void {
    this.#closed = true;
  }

  #takeTurn(messages: readonly EncodeObject[], memo: string): Promise<Flight> {
    const turn = this.#next.then(() => this.#sendInTurn(messages, memo));
    this.#next = turn.catch(() => undefined);
    return turn;
  }

  async #sendInTurn(messages: readonly EncodeObject[], memo: string): Promise<Flight> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#sendOnce(messages, memo);
      } catch (error) {
        if (!isWrongSequence(error) || tries === maxTries) throw error;
        this.#account = undefined;
        if (tries > 1) await this.#nextBlock();
      }
    }
  }

  async #sendOnce(messages: readonly EncodeObject[], memo: string): Promise<Flight> {
    const { client } = this.#options;
    this.#account ??= await this.#askAccount();
    const { accountNumber, sequence } = this.#account;
    // The height is asked for beside the simulation, which has a later one in its place: as long or longer in bytes.
    const simulated = this.#signer.body({ messages, memo, timeoutHeight: farHeight });
    const [height, used] = await Promise.all([
      client.height(),
      client.simulate(this.#signer.unsigned(simulated, sequence)),
    ]);
    const content = { messages, memo, timeoutHeight: BigInt(height) + timeoutBlocks };
    const body = this.#signer.body(content);
    const gas = (used * gasMargin) / 10n + (this.#options.extraGas ?? 0n);
    const raw = await this.#signer.sign(body, { chainId: client.chainId, accountNumber, sequence, gas });
    const hash = sha256(raw);
    const flight: Flight = { ...content, sequence, raw, hash, name: toHex(hash).toUpperCase() };
    const answer = await handOver(client, raw, flight.name);
    if (answer.at === 'refused') throw answer.error;
    // Where no answer came, the node may have it: it counts as sent, and is handed over again while it is waited for.
    this.#flights.add(flight);
    const [oldest] = this.#flights;
    if (this.#flights.size > maxFlights && oldest !== undefined) this.#flights.delete(oldest);
    this.#account = { accountNumber, sequence: sequence + 1n };
    return flight;
  }

  /** The sequence after everything of ours that can still run, which is handed over again. @throws ChainError */
  async #askAccount(): Promise<AccountFacts> {
    const { client } = this.#options;
    const account = await client.account(this.address);
    if (account === undefined) {
      throw new ChainError(`the account ${this.address} does not exist: send it some coins first`, {
        code: 9,
        notFound: true,
      });
    }
    let { sequence } = account;
    for (const flight of this.#flights) if (flight.sequence < sequence) this.#flights.delete(flight);
    while (await this.#standsAt(sequence)) sequence += 1n;
    return { accountNumber: account.accountNumber, sequence };
  }

  /** Whether one of ours with this sequence is in the node's mempool, at the latest now. */
  async #standsAt(sequence: bigint): Promise<boolean> {
    for (const flight of this.#flights) {
      if (flight.sequence !== sequence) continue;
      if ((await handOver(this.#options.client, flight.raw, flight.name)).at === 'taken') return true;
    }
    return false;
  }

  async #nextBlock(): Promise<void> {
    const { client } = this.#options;
    const height = await client.height();
    for (let look = 0; look < maxBlockLooks && !this.#closed; look += 1) {
      await this.#pause(pollMs);
      if ((await client.height()) > height) return;
    }
  }

  async #settle(first: Flight, limitMs: number): Promise<CommittedTx> {
    const { client } = this.#options;
    const patience: Patience = { limitMs, pause: (ms) => this.#pause(ms), isClosed: () => this.#closed };
    let flight = first;
    for (let successors = 0; ; successors += 1) {
      try {
        const found = await watchFlight({ client, address: this.address }, flight, patience);
        this.#flights.delete(flight);
        if (found !== undefined) return found;
      } catch (error) {
        if (error instanceof ChainError) this.#flights.delete(flight);
        throw error;
      }
      if (successors === maxSuccessors) {
        throw new ChainError(`the sequence of transaction ${flight.name} went to another one: it did nothing`, {
          code: 32,
          hash: flight.name,
        });
      }
      // However many wait for it: there is one successor.
      flight.successor ??= this.#takeTurn(flight.messages, flight.memo);
      flight = await flight.successor;
    }
  }

  #pause(ms: number): Promise<void> {
    return this.#options.pause?.(ms) ?? new Promise((resolve) => setTimeout(resolve, ms));
  }
}
