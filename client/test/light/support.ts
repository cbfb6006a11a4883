/** A chain of the vectors, nodes that show it, and what a light client needs beside them. */
import type { BlockSource } from '../../src/light/block-source.ts';
import { LightError } from '../../src/light/errors.ts';
import { hashOf, type LightBlock } from '../../src/light/light-block.ts';
import { LightClient, type LightClientOptions } from '../../src/light/light-client.ts';
import { MemoryTrustedStore } from '../../src/light/trusted-store.ts';
import { blockAt, vectors } from './vectors.ts';

/** The blocks of a scenario's node, by height. @param node 0 for the primary */
export function chainOf(scenario: string, node = 0): readonly LightBlock[] {
  const found = vectors.scenarios.find(({ name }) => name === scenario)?.chains[node];
  if (found === undefined) throw new Error(`the vectors have no scenario "${scenario}" with a node ${node}`);
  return found.map(blockAt);
}

/** A node that answers from a list, without a look at what it answers. */
export class ListedSource implements BlockSource {
  readonly name: string;
  readonly requests: number[] = [];
  readonly #blocks: ReadonlyMap<bigint, LightBlock>;
  /** the height that is its latest; the highest where absent */
  latest: bigint;

  constructor(name: string, blocks: readonly LightBlock[]) {
    this.name = name;
    this.#blocks = new Map(blocks.map((block) => [block.header.height, block]));
    this.latest = [...this.#blocks.keys()].reduce((a, b) => (a > b ? a : b));
  }

  async lightBlock(height?: bigint): Promise<LightBlock> {
    this.requests.push(Number(height ?? 0n));
    const at = height ?? this.latest;
    const found = this.#blocks.get(at);
    if (found !== undefined && at <= this.latest) return found;
    throw new LightError(`no block ${at}`, {
      kind: at > this.latest ? 'height_too_high' : 'no_block',
      source: this.name,
    });
  }
}

/** Options of a light client that trusts a block of this node; any may be replaced. */
export function optionsOf(
  primary: ListedSource,
  root: LightBlock,
  more: Partial<LightClientOptions> = {},
): LightClientOptions {
  return {
    chainId: vectors.chainId,
    root: { kind: 'block', height: root.header.height, hash: hashOf(root) },
    primary,
    witnesses: [],
    store: new MemoryTrustedStore(),
    nowNs: () => root.header.time.seconds * 1_000_000_000n + 600_000_000_000n,
    pause: async () => undefined,
    ...more,
  };
}

export function clientOf(...args: Parameters<typeof optionsOf>): Promise<LightClient> {
  return LightClient.create(optionsOf(...args));
}
