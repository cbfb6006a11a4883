/**
 * The embedded engine: one validator in the application's own process. It makes real blocks, with the hashes and signed
 * commits of CometBFT 0.38, and keeps them.
 *
 * One thing differs from CometBFT: the time of a block is the proposer's clock, not the median of the previous votes (as
 * proposer-based timestamps of CometBFT 1 have it), so that a test which moves the clock sees it in the very next block.
 * The first block has the time of genesis, as there.
 */
import type { Application } from '@mu/abci/application';
import { toHex } from '@mu/lib/bytes';
import { addressOfKey } from '@mu/lib/comet-validators';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type { ExecTxResult, ResponseCheckTx } from 'cosmjs-types/tendermint/abci/types';
import type { Block } from 'cosmjs-types/tendermint/types/block';
import { txHash } from './block.ts';
import { type EngineEvent, EventBus } from './event-bus.ts';
import { BlockExecutor, blockLimits, type Executed, type IdentifiedBlock, nextHeight, type Step } from './executor.ts';
import type { GenesisDoc } from './genesis.ts';
import { handshake } from './handshake.ts';
import { defaultMempoolLimits, Mempool, type MempoolLimits } from './mempool.ts';
import { BlockPace, type BlockTiming } from './pace.ts';
import type { PrivateValidator } from './private-validator.ts';
import type { State } from './state.ts';
import { EngineStore } from './store.ts';
import { addMs, compareTimes, timeFromMs } from './time.ts';

/** Where the engine says what it does; pino's shape. */
export interface EngineLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

const silent: EngineLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface SoloEngineOptions {
  app: Application;
  genesis: GenesisDoc;
  /** Folder of blocks, results and index; created where it is missing. Not the application's. */
  dataPath: string;
  validator: PrivateValidator;
  blocks: BlockTiming;
  mempool?: Partial<MempoolLimits>;
  /** Milliseconds since 1970. */
  clock?: () => number;
  log?: EngineLog;
  /** Called once when the engine stopped by itself: no block will follow. */
  onFailure?: (error: Error) => void;
  /** Called at every point between which a crash must lose nothing. What it throws ends the engine there. */
  onStep?: (step: Step) => void;
}

/** A transaction that made it into a block. */
export interface CommittedTx {
  height: bigint;
  result: ExecTxResult;
}

export class SoloEngine {
  readonly genesis: GenesisDoc;
  readonly validator: PrivateValidator;
  readonly bus = new EventBus();
  readonly store: EngineStore;
  readonly app: Application;
  readonly #executor: BlockExecutor;
  readonly #options: SoloEngineOptions;
  readonly #log: EngineLog;
  readonly #pace: BlockPace;
  readonly #waiters = new Map<string, Set<(tx: CommittedTx) => void>>();
  #mempool: Mempool | undefined;
  #state: State | undefined;
  #clockOffsetMs = 0;
  #turn: Promise<void> = Promise.resolve();
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #closing: Promise<void> | undefined;

  constructor(options: SoloEngineOptions) {
    this.#options = options;
    this.app = options.app;
    this.genesis = options.genesis;
    this.validator = options.validator;
    this.#log = options.log ?? silent;
    this.store = new EngineStore(options.dataPath);
    this.#executor = new BlockExecutor(options.app, this.store, options.validator, options.onStep ?? (() => undefined));
    this.#pace = new BlockPace(options.blocks, () => this.#produceUnattended());
  }

  /** The state after the last block. @throws Error before start */
  get state(): State {
    if (this.#state === undefined) throw new Error('the engine has not started yet');
    return this.#state;
  }

  /** Transactions that wait. @throws Error before start */
  get mempool(): Mempool {
    if (this.#mempool === undefined) throw new Error('the engine has not started yet');
    return this.#mempool;
  }

  get isRunning(): boolean {
    return this.#phase === 'running';
  }

  /** Brings application and blocks together and begins to make blocks. @throws Error when they do not fit */
  async start(): Promise<void> {
    if (this.#phase !== 'new') throw new Error('an engine starts once');
    const { app, store, genesis } = { ...this.#options, store: this.store };
    this.#state = await handshake({ app, store, genesis, executor: this.#executor });
    this.#warnAboutOthers(this.#state);
    const limits = { ...defaultMempoolLimits, ...this.#options.mempool };
    this.#mempool = new Mempool(app, limits, blockLimits(this.#state), () => this.#pace.txArrived());
    this.#phase = 'running';
    const { lastBlockHeight, appHash } = this.#state;
    this.#log.info({ height: lastBlockHeight.toString(), appHash: toHex(appHash) }, 'engine solo started');
    this.#pace.start(lastBlockHeight === 0n);
  }

  /** Ends after the block that is being made, and closes the store. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#phase = 'stopped';
    this.#pace.stop();
    this.#closing = this.#turn.then(() => this.store.close());
    return this.#closing;
  }

  /** The application's verdict; a transaction that it accepts waits for a block. @throws MempoolError */
  checkTx(tx: Uint8Array): Promise<ResponseCheckTx> {
    if (!this.isRunning) return Promise.reject(new Error('the engine has stopped'));
    return this.mempool.check(tx);
  }

  /** Resolves when the transaction is in a block. `cancel` forgets the wish. */
  whenCommitted(hash: Uint8Array): { committed: Promise<CommittedTx>; cancel: () => void } {
    const name = toHex(hash);
    const waiting = this.#waiters.get(name) ?? new Set();
    this.#waiters.set(name, waiting);
    const { promise: committed, resolve } = Promise.withResolvers<CommittedTx>();
    waiting.add(resolve);
    const cancel = (): void => {
      waiting.delete(resolve);
      if (waiting.size === 0 && this.#waiters.get(name) === waiting) this.#waiters.delete(name);
    };
    return { committed, cancel };
  }

  /**
   * Makes so many blocks at once, besides the timed ones. Each is at least `stepMs` (1) later than the one before.
   * @throws Error when a block fails; the engine has stopped then
   */
  async advance(blocks = 1, stepMs = 1): Promise<void> {
    for (let i = 0; i < blocks; i++) await this.#enqueue(stepMs);
  }

  /** Sets the clock for the next blocks, which runs on from there. A block is never earlier than the one before. */
  setTime(ms: number): void {
    this.#clockOffsetMs = ms - this.#clock();
  }

  /** The engine's time in milliseconds since 1970. */
  now(): number {
    return this.#clock() + this.#clockOffsetMs;
  }

  #clock(): number {
    return (this.#options.clock ?? Date.now)();
  }

  /** Blocks are made one after another, whoever asks for them. */
  #enqueue(stepMs: number): Promise<void> {
    const made = this.#turn.then(() => this.#produce(stepMs));
    this.#turn = made.catch(() => undefined);
    return made;
  }

  async #produceUnattended(): Promise<void> {
    await this.#enqueue(1).catch(() => undefined);
  }

  async #produce(stepMs: number): Promise<void> {
    if (!this.isRunning) throw new Error('the engine has stopped');
    try {
      await this.#makeBlock(stepMs);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#phase = 'stopped';
      this.#pace.stop();
      this.#log.error(
        { err: error, height: nextHeight(this.state).toString() },
        'engine solo stopped: no block can be made',
      );
      this.#options.onFailure?.(error);
      throw error;
    }
  }

  async #makeBlock(stepMs: number): Promise<void> {
    const before = this.state;
    const waiting = this.mempool.size;
    const txs = this.mempool.reap(blockLimits(before));
    const proposed = await this.#executor.propose(before, txs, this.#blockTime(before, stepMs));
    const identified = this.#executor.save(proposed);
    const { state, response } = await this.#executor.execute(before, identified, (commit, block) =>
      this.mempool.exclusively(() => this.#commitAndUpdate(commit, block)),
    );
    this.#pace.blockMade(this.mempool.size > 0, this.mempool.size < waiting || waiting === 0);
    this.#announce(identified, { state, response });
  }

  async #commitAndUpdate(commit: () => Promise<Executed>, block: Block): Promise<Executed> {
    const executed = await commit();
    this.#state = executed.state;
    await this.mempool.update(block.data.txs, executed.response.txResults, blockLimits(executed.state));
    return executed;
  }

  #blockTime(state: State, stepMs: number): Timestamp {
    if (state.lastBlockHeight === 0n) return state.lastBlockTime;
    const earliest = addMs(state.lastBlockTime, Math.max(1, stepMs));
    const now = timeFromMs(this.now());
    return compareTimes(now, earliest) > 0 ? now : earliest;
  }

  /** Everything is on the disk by now: who hears of a transaction finds it. */
  #announce({ block, blockId }: IdentifiedBlock, { response }: Executed): void {
    const { height } = block.header;
    const numTxs = block.data.txs.length;
    this.#log.info({ height: height.toString(), numTxs, appHash: toHex(response.appHash) }, 'committed block');
    this.#publish({ type: 'NewBlock', block, blockId, response });
    this.#publish({ type: 'NewBlockHeader', header: block.header });
    this.#publish({ type: 'NewBlockEvents', height, events: response.events, numTxs });
    if (this.bus.clientCount > 0 || this.#waiters.size > 0) {
      block.data.txs.forEach((tx, index) => {
        const hash = txHash(tx);
        const result = response.txResults[index]!;
        this.#publish({ type: 'Tx', height, index, tx, hash, result });
        for (const resolve of this.#waiters.get(toHex(hash)) ?? []) resolve({ height, result });
      });
    }
    if (response.validatorUpdates.length > 0) {
      const validators = response.validatorUpdates.map(({ pubKey, power }) => ({
        address: addressOfKey(pubKey),
        pubKey,
        votingPower: power,
        proposerPriority: 0n,
      }));
      this.#publish({ type: 'ValidatorSetUpdates', validators });
    }
  }

  #publish(event: EngineEvent): void {
    try {
      this.bus.publish(event);
    } catch (error) {
      this.#log.error({ err: error, event: event.type }, 'a subscriber failed');
    }
  }

  #warnAboutOthers({ validators }: State): void {
    const own = validators.find(this.validator.address);
    if (own === undefined || own.votingPower * 3n > validators.totalPower * 2n) return;
    this.#log.warn(
      { own: own.votingPower.toString(), total: validators.totalPower.toString() },
      'this validator has not more than two thirds of the power: light clients will not accept its blocks',
    );
  }
}
