/** A chain with one account, a mempool and blocks, as far as a sender meets them; each trouble is switched on by hand. */
import { sha256 } from '@cosmjs/crypto';
import { AuthInfo, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { ChainClient, CommittedTx } from '../../src/chain/chain-client.ts';
import { ChainError } from '../../src/chain/errors.ts';

interface FakeTx {
  readonly raw: Uint8Array;
  readonly name: string;
  readonly sequence: bigint;
  readonly memo: string;
  readonly gas: bigint;
  readonly fee: string;
  readonly timeoutHeight: bigint;
}

interface Refusal {
  readonly codespace: string;
  readonly code: number;
  readonly log: string;
}

export function readTx(raw: Uint8Array): FakeTx {
  const { authInfoBytes, bodyBytes } = TxRaw.decode(raw);
  const { signerInfos, fee } = AuthInfo.decode(authInfoBytes);
  const { memo, timeoutHeight } = TxBody.decode(bodyBytes);
  return {
    raw,
    name: Buffer.from(sha256(raw)).toString('hex').toUpperCase(),
    sequence: signerInfos[0]?.sequence ?? 0n,
    memo,
    gas: fee?.gasLimit ?? 0n,
    fee: fee?.amount.map(({ amount, denom }) => amount + denom).join() ?? '',
    timeoutHeight,
  };
}

const mismatch = (expected: bigint, got: bigint): Refusal => ({
  codespace: 'sdk',
  code: 32,
  log: `account sequence mismatch, expected ${expected}, got ${got}`,
});

export class FakeChain {
  /** of the committed state */
  sequence = 5n;
  height = 10;
  /** memos of what ran, in the order in which it ran */
  readonly ran: string[] = [];
  readonly accepted: FakeTx[] = [];
  /** unsigned ones that were simulated */
  readonly simulated: FakeTx[] = [];
  asked = 0;
  /** a block is made at every so many pauses of the sender; 0: none */
  pausesPerBlock = 1;
  /** the next CheckTx that would be fine answers this */
  refuse: Refusal | undefined;
  /** CheckTx finds every sequence wrong */
  isStubborn = false;
  /** results in the next block, by memo */
  readonly fails = new Map<string, Refusal>();
  /** what CheckTx accepts vanishes, as behind a full mempool */
  losesAll = false;
  /** after CheckTx the answer is lost */
  losesAnswers = false;
  /** nothing answers */
  isAway = false;
  #mempool: FakeTx[] = [];
  #check = 5n;
  #pauses = 0;
  readonly #index = new Map<string, CommittedTx>();

  client(): ChainClient {
    const fake = {
      chainId: 'mu-1',
      height: async () => this.#reached(this.height),
      account: async () => {
        this.asked += 1;
        return this.#reached({ accountNumber: 3n, sequence: this.sequence });
      },
      simulate: async (raw: Uint8Array) => this.#simulate(this.#reached(readTx(raw))),
      comet: { broadcastTxSync: async ({ tx }: { tx: Uint8Array }) => this.#broadcast(this.#reached(readTx(tx))) },
      tx: async (hash: Uint8Array) => this.#reached(this.#index.get(Buffer.from(hash).toString('hex').toUpperCase())),
    };
    return fake as unknown as ChainClient;
  }

  readonly pause = async (): Promise<void> => {
    this.#pauses += 1;
    if (this.pausesPerBlock > 0 && this.#pauses % this.pausesPerBlock === 0) this.block();
  };

  /** Another program with the same key: its transaction is in the mempool, or goes straight into a block. */
  sendByOther(memo: string): void {
    const sequence = this.#check;
    this.#mempool.push({
      raw: new Uint8Array(),
      name: memo,
      sequence,
      memo,
      gas: 0n,
      fee: '',
      timeoutHeight: 10_000n,
    });
    this.#check += 1n;
  }

  /** Someone else's transactions reach a block by another node. */
  advance(count: bigint): void {
    this.sequence += count;
    this.#recheck();
  }

  /** The node is started again: its mempool is empty. */
  restart(): void {
    this.#mempool = [];
    this.#check = this.sequence;
  }

  get waiting(): readonly string[] {
    return this.#mempool.map(({ memo }) => memo);
  }

  /** @param alsoWrong a proposer that puts in what its own mempool would not keep */
  block({ alsoWrong = false } = {}): void {
    this.height += 1;
    if (!this.isAway) {
      for (const tx of this.#mempool.splice(0)) {
        const failure = this.#failureOf(tx);
        if (failure?.code === 32 && !alsoWrong) this.#mempool.push(tx);
        else this.#commit(tx, failure);
      }
    }
    this.#recheck();
  }

  #failureOf({ memo, sequence }: FakeTx): Refusal | undefined {
    return sequence === this.sequence ? this.fails.get(memo) : mismatch(this.sequence, sequence);
  }

  #commit(tx: FakeTx, failure: Refusal | undefined): void {
    if (failure?.code !== 32) this.sequence += 1n;
    if (failure === undefined) this.ran.push(tx.memo);
    const result = failure ?? { code: 0, codespace: '', log: '' };
    const { name: hash } = tx;
    const committed: CommittedTx = { hash, height: this.height, gasUsed: 0n, data: tx.raw, events: [], ...result };
    this.#index.set(hash, committed);
  }

  /** Keeps what may follow the committed state, in its order. */
  #recheck(): void {
    this.#check = this.sequence;
    this.#mempool = this.#mempool.filter(({ sequence, timeoutHeight }) => {
      if (sequence !== this.#check || timeoutHeight <= BigInt(this.height)) return false;
      this.#check += 1n;
      return true;
    });
  }

  #reached<T>(answer: T): T {
    if (this.isAway) throw new TypeError('fetch failed');
    return answer;
  }

  #simulate(tx: FakeTx): bigint {
    this.simulated.push(tx);
    if (tx.sequence !== this.#check) {
      const { code, codespace, log } = mismatch(this.#check, tx.sequence);
      throw new ChainError(log, { code, codespace });
    }
    return 100_000n;
  }

  #broadcast(tx: FakeTx): { code: number; codespace?: string; log?: string; hash: Uint8Array } {
    const hash = sha256(tx.raw);
    if (this.#mempool.some(({ name }) => name === tx.name)) {
      throw new Error(JSON.stringify({ code: -32603, message: 'Internal error', data: 'tx already exists in cache' }));
    }
    const isRight = tx.sequence === this.#check && !this.isStubborn;
    const refusal = this.refuse ?? (isRight ? undefined : mismatch(this.#check, tx.sequence));
    this.refuse = undefined;
    if (refusal !== undefined) return { ...refusal, hash };
    this.#check += 1n;
    this.accepted.push(tx);
    if (!this.losesAll) this.#mempool.push(tx);
    if (this.losesAnswers) throw new TypeError('socket hang up');
    return { code: 0, hash };
  }
}
