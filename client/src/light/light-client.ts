/**
 * A light client (light/client.go of CometBFT 0.38): from a root of trust it verifies blocks that a node shows, later ones
 * by the validators' signatures, earlier ones by the hashes that later ones hold. Trust rests on two thirds of the
 * validators being honest within the trusting period, and on one honest node among the primary and its witnesses.
 */
import { equalBytes } from '@mu/lib/bytes';
import type { BlockSource } from './block-source.ts';
import { compareWithWitness, detectDivergence, type WitnessPatience } from './detector.ts';
import { LightError } from './errors.ts';
import { AttackError, divergenceOf } from './evidence.ts';
import { checkLightBlock, hashOf, hex, type LightBlock } from './light-block.ts';
import { verifySkipping } from './skipping.ts';
import {
  anchorOf,
  type CheckedRoot,
  checkRoot,
  resolveRoot,
  rootHeight,
  type TrustRoot,
  verifyRoot,
} from './trust-root.ts';
import { heightAfter, heightBefore, type TrustedStore } from './trusted-store.ts';
import {
  defaultMaxClockDriftNs,
  defaultTrustingPeriodNs,
  defaultTrustLevel,
  headerExpired,
  type VerifyRules,
  verifyBackwards,
} from './verify.ts';
import { checkTrustLevel, type TrustLevel } from './verify-commit.ts';

export interface LightClientOptions {
  readonly chainId: string;
  readonly root: TrustRoot;
  /** the node that is asked */
  readonly primary: BlockSource;
  /** further nodes, best of other owners; without any an attack by the validators themselves is not noticed */
  readonly witnesses: readonly BlockSource[];
  readonly store: TrustedStore;
  /** nanoseconds since 1970 */
  readonly nowNs: () => bigint;
  readonly pause: (ms: number) => Promise<void>;
  readonly trustingPeriodNs?: bigint;
  readonly maxClockDriftNs?: bigint;
  readonly trustLevel?: TrustLevel;
  /** how late a block may come after its time; a witness is waited for accordingly */
  readonly maxBlockLagMs?: number;
  /** blocks that stay in the store */
  readonly keepBlocks?: number;
  /** the most blocks that are followed back by their hashes for one answer */
  readonly maxBackwards?: bigint;
}

const defaults = { maxBlockLagMs: 10_000, keepBlocks: 1000, maxBackwards: 10_000n, witnessPollMs: 500 };

export class LightClient {
  readonly chainId: string;
  readonly primary: BlockSource;
  readonly #options: LightClientOptions;
  readonly #store: TrustedStore;
  #witnesses: readonly BlockSource[];
  #latest: LightBlock;
  /** verifications run one after the other, so that two never write the same */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: LightClientOptions, latest: LightBlock) {
    this.chainId = options.chainId;
    this.primary = options.primary;
    this.#options = options;
    this.#store = options.store;
    this.#witnesses = options.witnesses;
    this.#latest = latest;
  }

  /**
   * Opens the store; where it holds nothing from this root, the root's block is asked for and checked.
   * @throws LightError
   */
  static async create(options: LightClientOptions): Promise<LightClient> {
    const { root, chainId, store, trustLevel = defaultTrustLevel } = options;
    checkTrustLevel(trustLevel);
    await store.open(anchorOf(root));
    const newest = store.heights().at(-1);
    const stored = newest === undefined ? undefined : await store.at(newest);
    if (stored !== undefined) return new LightClient(options, stored);
    const checked = await resolveRoot(root);
    checkRoot(checked, chainId);
    const client = new LightClient(options, await options.primary.lightBlock(rootHeight(checked)));
    await client.#begin(checked);
    return client;
  }

  /** Witnesses that have shown nothing invalid so far. */
  get witnesses(): readonly BlockSource[] {
    return this.#witnesses;
  }

  /** The newest verified block; asks nobody. */
  get trusted(): LightBlock {
    return this.#latest;
  }

  /** Asks the primary for its latest block and verifies it. @throws LightError */
  update(): Promise<LightBlock> {
    return this.#inTurn(async () => {
      const block = await this.primary.lightBlock();
      const trusted = this.#latest;
      if (block.header.height > trusted.header.height) return this.#verify(block);
      // A node that is behind is no liar; what it says about a height that is known must agree.
      if (block.header.height === trusted.header.height) this.#checkSame(block, trusted);
      return trusted;
    });
  }

  /** The verified block of a height. @throws LightError */
  at(height: bigint): Promise<LightBlock> {
    return this.#inTurn(async () => {
      const known = await this.#store.at(height);
      if (known !== undefined) return known;
      return this.#verify(await this.primary.lightBlock(height));
    });
  }

  /** The root's block: no earlier one vouches for it, so every witness is asked at once. */
  async #begin(root: CheckedRoot): Promise<void> {
    const block = this.#latest;
    try {
      checkLightBlock(block, this.chainId);
      verifyRoot(root, block);
    } catch (error) {
      throw error instanceof LightError ? error.from(this.primary.name) : error;
    }
    const answers = await Promise.all(
      this.#witnesses.map((witness) => compareWithWitness(witness, block, this.#patience)),
    );
    for (const [index, answer] of answers.entries()) {
      if (answer.kind !== 'conflict') continue;
      const { name } = this.#witnesses[index] as BlockSource;
      throw new AttackError(this.primary.name, name, [divergenceOf(answer.block, block, block, name)]);
    }
    this.#witnesses = this.#witnesses.filter((_, index) => answers[index]?.kind !== 'bad');
    await this.#save(block);
  }

  async #verify(block: LightBlock): Promise<LightBlock> {
    const { height } = block.header;
    if (height > this.#latest.header.height) await this.#forwards(this.#latest, block);
    else {
      const before = await this.#storedAt(heightBefore(this.#store, height));
      if (before !== undefined && !headerExpired(before.header, this.#rules)) await this.#forwards(before, block);
      else await this.#backwards(block);
    }
    await this.#save(block);
    return block;
  }

  async #forwards(trusted: LightBlock, block: LightBlock): Promise<void> {
    const rules = this.#rules;
    const trace = await verifySkipping(this.primary, trusted, block, rules);
    if (this.#options.witnesses.length === 0) return;
    const detector = { primary: this.primary, witnesses: this.#witnesses, patience: this.#patience };
    const bad = await detectDivergence(detector, trace, rules);
    this.#witnesses = this.#witnesses.filter((witness) => !bad.includes(witness));
  }

  /** Follows the hashes from the nearest verified block above. */
  async #backwards(block: LightBlock): Promise<void> {
    const { height } = block.header;
    const above = await this.#storedAt(heightAfter(this.#store, height));
    const nearest = above ?? this.#latest;
    const { maxBackwards = defaults.maxBackwards } = this.#options;
    if (nearest.header.height - height > maxBackwards) {
      throw new LightError(
        `height ${height} is ${nearest.header.height - height} blocks before what is verified, more than ${maxBackwards}`,
        { kind: 'no_block', height, source: this.primary.name },
      );
    }
    let verified = nearest.header;
    while (verified.height > height) {
      const at = verified.height - 1n;
      const { header } = at === height ? block : await this.primary.lightBlock(at);
      try {
        verifyBackwards(header, verified);
      } catch (error) {
        throw error instanceof LightError ? error.from(this.primary.name) : error;
      }
      verified = header;
    }
  }

  #checkSame(block: LightBlock, trusted: LightBlock): void {
    if (equalBytes(hashOf(block), hashOf(trusted))) return;
    const { height } = trusted.header;
    throw new LightError(
      `its block of height ${height} is ${hex(hashOf(block))}, verified is ${hex(hashOf(trusted))}`,
      {
        kind: 'unverifiable',
        fault: 'header_hash',
        height,
        source: this.primary.name,
      },
    );
  }

  async #storedAt(height: bigint | undefined): Promise<LightBlock | undefined> {
    return height === undefined ? undefined : this.#store.at(height);
  }

  async #save(block: LightBlock): Promise<void> {
    await this.#store.save(block);
    await this.#store.prune(this.#options.keepBlocks ?? defaults.keepBlocks);
    if (block.header.height > this.#latest.header.height) this.#latest = block;
  }

  get #rules(): VerifyRules {
    const {
      trustingPeriodNs = defaultTrustingPeriodNs,
      maxClockDriftNs = defaultMaxClockDriftNs,
      trustLevel = defaultTrustLevel,
      nowNs,
    } = this.#options;
    return { trustingPeriodNs, maxClockDriftNs, trustLevel, nowNs: nowNs() };
  }

  /** CometBFT waits for twice the drift of clocks and the lag of a block; here it is looked again meanwhile. */
  get #patience(): WitnessPatience {
    const { maxClockDriftNs = defaultMaxClockDriftNs, maxBlockLagMs = defaults.maxBlockLagMs, pause } = this.#options;
    const waitMs = 2 * Number(maxClockDriftNs / 1_000_000n) + maxBlockLagMs;
    return { waitMs, pollMs: defaults.witnessPollMs, pause };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
