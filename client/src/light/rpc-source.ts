/** Light blocks over the RPC of a CometBFT 0.38 node (light/provider/http of CometBFT). */

import type { Comet38Client } from '@cosmjs/tendermint-rpc';
import { messageOf } from '@mu/lib/error-message';
import type { Validator } from 'cosmjs-types/tendermint/types/validator';
import type { BlockSource } from './block-source.ts';
import { commitFromRpc, headerFromRpc, validatorFromRpc } from './comet-blocks.ts';
import { LightError } from './errors.ts';
import { checkLightBlock, type LightBlock } from './light-block.ts';

/** What of CosmJS's client is used. */
export type CometReader = Pick<Comet38Client, 'commit' | 'validators' | 'status' | 'abciQuery'>;

const perPage = 100;
/** CometBFT's own bound on votes in a commit. */
const maxValidators = 10_000;
const defaultTimeoutMs = 10_000;

export interface RpcSourceOptions {
  readonly comet: CometReader;
  readonly chainId: string;
  /** for people: the node's address */
  readonly name: string;
  /** for each answer */
  readonly timeoutMs?: number;
}

export class RpcSource implements BlockSource {
  readonly name: string;
  readonly #comet: CometReader;
  readonly #chainId: string;
  readonly #timeoutMs: number;

  constructor({ comet, chainId, name, timeoutMs = defaultTimeoutMs }: RpcSourceOptions) {
    this.#comet = comet;
    this.#chainId = chainId;
    this.name = name;
    this.#timeoutMs = timeoutMs;
  }

  async lightBlock(height?: bigint): Promise<LightBlock> {
    try {
      return await this.#lightBlock(height);
    } catch (error) {
      throw error instanceof LightError ? error.from(this.name) : error;
    }
  }

  async #lightBlock(asked: bigint | undefined): Promise<LightBlock> {
    const argument = asked === undefined ? undefined : numberOf(asked);
    const answer = await this.#ask('commit', asked, () => this.#comet.commit(argument));
    const header = headerFromRpc(answer.header);
    if (asked !== undefined && header.height !== asked) {
      throw new LightError(`asked for the block of height ${asked} it gave that of ${header.height}`, {
        kind: 'wrong_answer',
        fault: 'height',
        height: asked,
      });
    }
    const validators = await this.#validators(header.height);
    const block = { header, commit: commitFromRpc(answer.commit), validators };
    checkLightBlock(block, this.#chainId);
    return block;
  }

  async #validators(height: bigint): Promise<Validator[]> {
    const all: Validator[] = [];
    const refuse = (text: string): never => {
      throw new LightError(text, { kind: 'wrong_answer', fault: 'validators', height });
    };
    for (let page = 1; ; page++) {
      const answer = await this.#ask('validators', height, () =>
        this.#comet.validators({ height: numberOf(height), page, per_page: perPage }),
      );
      if (BigInt(answer.blockHeight) !== height) {
        refuse(`asked for the validators of height ${height} it gave those of ${answer.blockHeight}`);
      }
      if (answer.total > maxValidators) refuse(`it speaks of ${answer.total} validators at height ${height}`);
      if (answer.validators.length === 0) refuse(`page ${page} of the validators of height ${height} is empty`);
      for (const validator of answer.validators) all.push(this.#read(height, () => validatorFromRpc(validator)));
      if (all.length === answer.total) return all;
      if (all.length > answer.total)
        refuse(`it gave more validators at height ${height} than the ${answer.total} it said`);
    }
  }

  /** One request; what fails is named after whether the node could have answered. */
  async #ask<T>(what: string, height: bigint | undefined, request: () => Promise<T>): Promise<T> {
    const at = height === undefined ? {} : { height };
    try {
      return await this.#inTime(request);
    } catch (error) {
      if (error instanceof LightError) throw error;
      const range = await this.#range(error);
      if (height !== undefined && height > range.latest) {
        const text = `height ${height} is above its latest, ${range.latest}`;
        throw new LightError(text, { kind: 'height_too_high', ...at, cause: error });
      }
      if (height !== undefined && height < range.earliest) {
        const text = `height ${height} is below its earliest, ${range.earliest}`;
        throw new LightError(text, { kind: 'no_block', ...at, cause: error });
      }
    }
    // It has that height, or has reached it in the meantime.
    try {
      return await this.#inTime(request);
    } catch (error) {
      if (error instanceof LightError) throw error;
      const text = `its answer to "${what}" cannot be read: ${error instanceof Error ? error.message : error}`;
      throw new LightError(text, { kind: 'malformed', fault: 'answer', ...at, cause: error });
    }
  }

  /** The heights a node has; asked only after it failed, so that no text of an error needs to be understood. */
  async #range(cause: unknown): Promise<{ earliest: bigint; latest: bigint }> {
    try {
      const { syncInfo } = await this.#inTime(() => this.#comet.status());
      return { earliest: BigInt(syncInfo.earliestBlockHeight ?? 1), latest: BigInt(syncInfo.latestBlockHeight) };
    } catch (error) {
      if (error instanceof LightError) throw error;
      const reason = messageOf(cause);
      throw new LightError(`it does not answer: ${reason}`, { kind: 'unavailable', cause });
    }
  }

  async #inTime<T>(request: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const text = `it did not answer within ${this.#timeoutMs} ms`;
      timer = setTimeout(() => reject(new LightError(text, { kind: 'unavailable' })), this.#timeoutMs);
    });
    try {
      return await Promise.race([request(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #read<T>(height: bigint, read: () => T): T {
    try {
      return read();
    } catch (error) {
      const text = messageOf(error);
      throw new LightError(text, { kind: 'malformed', fault: 'validators', height, cause: error });
    }
  }
}

/** CosmJS takes heights as numbers. */
function numberOf(height: bigint): number {
  if (height > 0n && height <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(height);
  throw new LightError(`${height} is no height`, { kind: 'config', fault: 'height', height });
}
