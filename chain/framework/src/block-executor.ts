/** Executes a block on a branch of the state: begin, the transaction it must begin with, the users' ones, end. */

import type { Any } from 'cosmjs-types/google/protobuf/any';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import type { ChainConstants, Context } from './context.ts';
import { errTxDecode, type Failure, toFailure } from './errors.ts';
import { type Event, EventLog, toAbciEvents, withAttribute } from './events.ts';
import { GasMeter } from './gas.ts';
import type { AppModule } from './module.ts';
import { isExpected, type SystemTxSource } from './system-tx.ts';
import type { Tx, TxMessage } from './tx.ts';
import { encodeMsgData, messageEvents, runMessage, runTx, type TxResult, type TxRunner } from './tx-runner.ts';

/**
 * Parts of FinalizeBlock in their order: what the block must begin with, BeginBlock, that transaction, the users' ones,
 * EndBlock with what the block changed, the trees, the answer to the engine.
 */
export type BlockPhase = 'due' | 'begin' | 'system' | 'users' | 'end' | 'trees' | 'answer';

export interface BlockInput {
  readonly txs: readonly Uint8Array[];
  /** what the block must begin with */
  readonly systemTx: Uint8Array | undefined;
}

export interface BlockOutput {
  readonly txs: readonly TxResult[];
  readonly events: readonly Event[];
}

export interface ExecutorOptions {
  readonly modules: readonly AppModule[];
  readonly systemTx?: SystemTxSource;
  readonly checkInvariants?: boolean;
  readonly runner: TxRunner;
  readonly decode: (raw: Uint8Array, chain: ChainConstants) => Tx;
  /** gas that all transactions of the block may use, by the state; undefined for no limit */
  readonly gasLimit: (ctx: Context) => bigint | undefined;
  readonly onPhase?: (phase: BlockPhase) => void;
}

export class BlockExecutor {
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  get runner(): TxRunner {
    return this.#options.runner;
  }

  /** @throws Error what stops a node before a block, or when an invariant is broken and invariants are checked */
  execute(base: Context, input: BlockInput): BlockOutput {
    this.#options.onPhase?.('begin');
    const before = this.#preBlock(base);
    // An upgrade may have changed the parameters of this very block.
    const blockGasLimit = this.#options.gasLimit(base);
    const ctx = base.with({ blockGasLimit });
    const begin = this.#modules(ctx, 'BeginBlock', (module, at) => module.beginBlock?.(at));
    const txs = this.#txs(ctx, input);
    this.#options.onPhase?.('end');
    const end = this.#modules(ctx, 'EndBlock', (module, at) => module.endBlock?.(at));
    if (this.#options.checkInvariants === true) this.#assertInvariants(ctx);
    return { txs, events: [...before, ...begin, ...end] };
  }

  #txs(ctx: Context, { txs, systemTx }: BlockInput): TxResult[] {
    this.#options.onPhase?.('system');
    const [first] = txs;
    const system = first !== undefined && isExpected(systemTx, first) ? [this.#system(ctx, first)] : [];
    this.#options.onPhase?.('users');
    const blockGas = new GasMeter(ctx.blockGasLimit);
    return [...system, ...txs.slice(system.length).map((raw) => this.#user(ctx, raw, blockGas))];
  }

  #preBlock(ctx: Context): readonly Event[] {
    const own = ctx.with({ events: new EventLog() });
    for (const module of this.#options.modules) module.preBlock?.(own);
    return own.events.events;
  }

  #modules(ctx: Context, mode: string, step: (module: AppModule, ctx: Context) => void): Event[] {
    const own = ctx.with({ events: new EventLog() });
    for (const module of this.#options.modules) step(module, own);
    return own.events.events.map((event) => withAttribute(event, 'mode', mode));
  }

  #user(ctx: Context, raw: Uint8Array, blockGas: GasMeter): TxResult {
    let tx: Tx;
    try {
      tx = this.#options.decode(raw, ctx.chain);
    } catch {
      // Malformed bytes of a proposal still have a result (SDK: ErrTxDecode without gas or events).
      return failed(errTxDecode.bare());
    }
    const own = ctx.with({ events: new EventLog() });
    return runTx(this.#options.runner, own, tx, blockGas);
  }

  /** Each message in a branch of its own; the transaction's code is 0 and each response carries its own. */
  #system(ctx: Context, raw: Uint8Array): TxResult {
    const source = this.#options.systemTx as SystemTxSource;
    const tx = this.#options.decode(raw, ctx.chain);
    const responses: Any[] = [];
    const events: Event[] = [];
    tx.messages.forEach((message, index) => {
      const done = this.#systemMessage(ctx, source, message, tx.body.messages[index] as Any, index);
      responses.push(done.response);
      events.push(...done.events);
    });
    const data = encodeMsgData(responses);
    return { failure: undefined, gasWanted: 0n, gasUsed: 0n, data, events };
  }

  #systemMessage(
    ctx: Context,
    source: SystemTxSource,
    message: TxMessage,
    encoded: Any,
    index: number,
  ): { response: Any; events: Event[] } {
    const attempt = ctx.with({ gas: new GasMeter(), events: new EventLog() }).branch();
    try {
      const done = runMessage(attempt.ctx, message, index);
      attempt.write();
      return done;
    } catch (thrown) {
      return this.#settle(ctx, source, message, encoded, toFailure(thrown), index);
    }
  }

  /**
   * What is left of a message that failed. Where not even that works out the message stays due, and the block goes on:
   * a chain that stands still would be the greater loss (ASA-2025-003).
   */
  #settle(
    ctx: Context,
    source: SystemTxSource,
    message: TxMessage,
    encoded: Any,
    failure: Failure,
    index: number,
  ): { response: Any; events: Event[] } {
    const settle = ctx.with({ gas: new GasMeter(), events: new EventLog() }).branch();
    try {
      const response = source.settleFailure(settle.ctx, encoded, failure);
      settle.write();
      return { response, events: messageEvents(ctx, message, settle.ctx.events.events, index) };
    } catch (thrown) {
      const { codespace, code } = toFailure(thrown);
      const lost: Event = {
        type: 'settlement_failed',
        attributes: [
          ['codespace', codespace],
          ['code', code.toString()],
        ],
      };
      const response = { typeUrl: message.type.responseTypeUrl, value: new Uint8Array() };
      return { response, events: messageEvents(ctx, message, [lost], index) };
    }
  }

  #assertInvariants(ctx: Context): void {
    for (const module of this.#options.modules) {
      for (const invariant of module.invariants) {
        const broken = invariant.check(ctx);
        if (broken !== undefined) throw new Error(`invariant ${invariant.name} is broken at ${ctx.height}: ${broken}`);
      }
    }
  }
}

function failed(error: unknown): TxResult {
  return { failure: toFailure(error), gasWanted: 0n, gasUsed: 0n, data: new Uint8Array(), events: [] };
}

/** A result as ABCI carries it, for CheckTx and FinalizeBlock alike. */
export function toAbciTxResult(result: TxResult): ExecTxResult {
  return {
    code: result.failure?.code ?? 0,
    codespace: result.failure?.codespace ?? '',
    // On success the log is empty, as in the SDK from 0.50 on.
    log: result.failure?.log ?? '',
    info: '',
    data: result.data,
    // A limit above 2^63 − 1 is refused, and reported as its 64 bits read.
    gasWanted: BigInt.asIntN(64, result.gasWanted),
    gasUsed: BigInt.asIntN(64, result.gasUsed),
    events: toAbciEvents(result.events),
  };
}
