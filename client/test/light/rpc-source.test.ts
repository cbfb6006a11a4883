/** Light blocks over the RPC: pages, heights that are not there, answers that do not come. */
import type { comet38 } from '@cosmjs/tendermint-rpc';
import { encodeLightBlock, type LightBlock } from '../../src/light/light-block.ts';
import { type CometReader, RpcSource } from '../../src/light/rpc-source.ts';
import { blockAt, vectors } from './vectors.ts';

const large = (() => {
  const found = vectors.verify.find(({ name }) => name === '120 validators');
  if (found === undefined) throw new Error('the vectors lack a large set');
  return blockAt(found.untrusted);
})();

/** A block as CosmJS reads it from the RPC. */
function rpcCommit({ header, commit }: LightBlock): comet38.CommitResponse {
  const date = ({ seconds, nanos }: LightBlock['header']['time']) =>
    Object.assign(new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6)), { nanoseconds: nanos % 1e6 });
  const id = ({ hash, partSetHeader }: LightBlock['commit']['blockId']) => ({ hash, parts: partSetHeader });
  return {
    canonical: true,
    header: {
      ...header,
      version: { block: Number(header.version.block), app: Number(header.version.app) },
      height: Number(header.height),
      time: date(header.time),
      lastBlockId: id(header.lastBlockId),
    },
    commit: {
      height: Number(commit.height),
      round: commit.round,
      blockId: id(commit.blockId),
      signatures: commit.signatures.map((signature) => ({
        blockIdFlag: signature.blockIdFlag as number,
        validatorAddress: signature.validatorAddress,
        timestamp: date(signature.timestamp),
        signature: signature.signature,
      })),
    },
  } as comet38.CommitResponse;
}

interface Asked {
  readonly page?: number;
  readonly per_page?: number;
}

function nodeOf(block: LightBlock, change: Partial<CometReader> = {}): CometReader & { pages: number[] } {
  const pages: number[] = [];
  const { height } = block.header;
  const node = {
    commit: async (asked?: number) => {
      if (asked !== undefined && asked !== Number(height)) throw new Error('{"code":-32603}');
      return rpcCommit(block);
    },
    validators: async ({ page = 1, per_page = 30 }: Asked) => {
      pages.push(page);
      const validators = block.validators.slice((page - 1) * per_page, page * per_page).map((validator) => ({
        address: validator.address,
        pubkey: { algorithm: 'ed25519', data: validator.pubKey.ed25519 as Uint8Array },
        votingPower: validator.votingPower,
      }));
      return { blockHeight: Number(height), validators, count: validators.length, total: block.validators.length };
    },
    status: async () => ({ syncInfo: { earliestBlockHeight: 5, latestBlockHeight: Number(height) } }),
    ...change,
  };
  return Object.assign(node as unknown as CometReader, { pages });
}

const sourceOf = (comet: CometReader): RpcSource =>
  new RpcSource({ comet, chainId: vectors.chainId, name: 'http://node', timeoutMs: 50 });
const never = (): Promise<never> => new Promise(() => undefined);

test('a set of 120 validators comes in pages, and all of the block as it was', async () => {
  const node = nodeOf(large);
  const block = await sourceOf(node).lightBlock();
  expect(node.pages).toEqual([1, 2]);
  const plain = { ...large, validators: large.validators.map((one) => ({ ...one, proposerPriority: 0n })) };
  expect(Buffer.from(encodeLightBlock(block))).toEqual(Buffer.from(encodeLightBlock(plain)));
});

describe('what does not come is named', () => {
  const height = large.header.height;
  test.each([
    ['a height above', height + 1n, {}, 'height_too_high'],
    ['a height below', 4n, {}, 'no_block'],
    ['a height that should be there', 6n, {}, 'malformed'],
    ['no answer', height, { commit: never }, 'unavailable'],
    ['no answer about validators', height, { validators: never }, 'unavailable'],
    ['a broken connection', height, { commit: fails, status: fails }, 'unavailable'],
    ['no height', 0n, {}, 'config'],
  ] as [string, bigint, object, string][])('%s', async (_name, asked, change, kind) => {
    const answer = sourceOf(nodeOf(large, change as Partial<CometReader>)).lightBlock(asked);
    await expect(answer).rejects.toMatchObject({
      kind,
      source: 'http://node',
      message: expect.stringMatching(/^http:/),
    });
  });

  async function fails(): Promise<never> {
    throw new Error('connect ECONNREFUSED');
  }

  test('a node that reaches the height between two questions', async () => {
    let asked = 0;
    const node = nodeOf(large, {
      commit: async () => {
        asked += 1;
        if (asked === 1) throw new Error('not yet');
        return rpcCommit(large);
      },
    });
    expect((await sourceOf(node).lightBlock(height)).header.height).toBe(height);
  });
});
