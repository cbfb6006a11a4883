/** Reads of a store whose answers are proved by a verified header. */

import { equalBytes } from '@mu/lib/bytes';
import { messageOf } from '@mu/lib/error-message';
import { LightError, type LightFault } from './errors.ts';
import { type LightBlock, nanosOf } from './light-block.ts';
import type { LightClient } from './light-client.ts';
import type { CometReader } from './rpc-source.ts';
import { type ProofOp, verifyStoreProof } from './store-proof.ts';

/** A proved answer. */
export interface VerifiedValue {
  /** undefined: it is proved that there is none */
  readonly value: Uint8Array | undefined;
  /** after this block it was so */
  readonly height: bigint;
  /** nanoseconds since 1970: time of the block that proves it */
  readonly timeNs: bigint;
}

export interface VerifiedStoreOptions {
  readonly light: LightClient;
  /** of the light client's primary */
  readonly comet: CometReader;
  readonly nowNs: () => bigint;
  readonly pause: (ms: number) => Promise<void>;
  /**
   * What is asked for without a height. `newest`: as new as the node's newest block, so that who has seen a transaction in a
   * block sees what it did; the header that proves it comes with the next block and is waited for. `settled`: what the newest
   * header proves, one block older and there at once.
   */
  readonly freshness: 'newest' | 'settled';
  /** what is asked for without a height is answered as of this one, so that several records agree */
  readonly height?: bigint;
  /** the oldest view that is taken where no height is asked for; any where absent */
  readonly maxAgeNs?: bigint;
  /** how long the block that proves the newest state is waited for */
  readonly waitMs?: number;
}

const defaultWaitMs = 60_000;
const pollMs = 200;

/** What a node's stores hold, proved. */
export class VerifiedStore {
  readonly #options: VerifiedStoreOptions;
  #looking: Promise<LightBlock> | undefined;

  /** By whose headers answers are proved. */
  get light(): LightClient {
    return this.#options.light;
  }

  constructor(options: VerifiedStoreOptions) {
    this.#options = options;
  }

  /**
   * The value of a key after a block, or the proof that there is none. The app hash after a block stands in the next header.
   * @throws LightError
   */
  async query(
    store: string,
    key: Uint8Array,
    height: bigint | undefined = this.#options.height,
  ): Promise<VerifiedValue> {
    const { light } = this.#options;
    const proving = await (height === undefined ? this.#prover() : light.at(height + 1n));
    const { header } = proving;
    const at = header.height - 1n;
    const answer = await this.#ask(store, key, at);
    const value = answer.value.length === 0 ? undefined : answer.value;
    try {
      verifyStoreProof(header.appHash, answer.ops, { store, key, value });
    } catch (error) {
      if (!(error instanceof LightError)) throw error;
      const facts = { kind: error.kind, height: at, source: light.primary.name, cause: error };
      const text = `${light.primary.name}: what it says of store "${store}" at height ${at} is not so: ${error.message}`;
      throw new LightError(text, error.fault === undefined ? facts : { ...facts, fault: error.fault });
    }
    return { value, height: at, timeNs: nanosOf(header.time) };
  }

  /** The newest verified block, not older than is taken. @throws LightError of kind stale */
  async latest(): Promise<LightBlock> {
    const { nowNs, maxAgeNs } = this.#options;
    const block = await this.#look();
    const ageNs = nowNs() - nanosOf(block.header.time);
    if (maxAgeNs !== undefined && ageNs > maxAgeNs) {
      const text = `its newest block, ${block.header.height}, is ${ageNs / 1_000_000_000n} s old, at most ${maxAgeNs / 1_000_000_000n} s are taken`;
      this.#refuse('time', text, 'stale', block.header.height);
    }
    return block;
  }

  /** The block that proves what is asked for without a height. */
  async #prover(): Promise<LightBlock> {
    const { pause, freshness, waitMs = defaultWaitMs } = this.#options;
    const newest = await this.latest();
    if (freshness === 'settled') return newest;
    for (let waited = 0; waited <= waitMs; waited += pollMs) {
      await pause(pollMs);
      const block = await this.#look();
      if (block.header.height > newest.header.height) return block;
    }
    const text = `no block came within ${waitMs / 1000} s after ${newest.header.height} to prove the state after it`;
    return this.#refuse('time', text, 'stale', newest.header.height);
  }

  /** One look for all that wait. */
  #look(): Promise<LightBlock> {
    this.#looking ??= this.#options.light.update().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #ask(store: string, key: Uint8Array, height: bigint): Promise<{ value: Uint8Array; ops: readonly ProofOp[] }> {
    let answer: Awaited<ReturnType<CometReader['abciQuery']>>;
    try {
      const path = `/store/${store}/key`;
      answer = await this.#options.comet.abciQuery({ path, data: key, height: Number(height), prove: true });
    } catch (error) {
      const reason = messageOf(error);
      const { name } = this.#options.light.primary;
      const text = `${name}: no answer about store "${store}": ${reason}`;
      throw new LightError(text, { kind: 'unavailable', height, source: name, cause: error });
    }
    const code = answer.code ?? 0;
    if (code !== 0) this.#refuse('code', `it refused with code ${code}: ${answer.log ?? ''}`, 'no_block', height);
    if (answer.height !== undefined && BigInt(answer.height) !== height) {
      this.#refuse('height', `asked for height ${height} it answered for ${answer.height}`, 'wrong_answer', height);
    }
    if (answer.key.length > 0 && !equalBytes(answer.key, key)) {
      this.#refuse('proof_key', 'it answered about another key', 'wrong_answer', height);
    }
    return { value: answer.value, ops: answer.proof?.ops ?? [] };
  }

  #refuse(fault: LightFault, text: string, kind: LightError['kind'], height: bigint): never {
    const source = this.#options.light.primary.name;
    throw new LightError(`${source}: ${text}`, { kind, fault, height, source });
  }
}
