/** The transaction that a block must begin with (design §5): where it could be missing, wrong, starved or fail. */
import { afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { maxBlockBytes, minBlockBytes, reservedBlockBytes } from '@mu/framework/consensus-params';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { encodeSystemTx, maxSystemTxBytes } from '@mu/framework/system-tx';
import { CloseReason, LeaseState, MsgSubmitLeaseResponse, OrderState } from '@mu/proto/market';
import { MarketKeeper } from '@mu/x-market/keeper';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import { MsgUpdateParams } from 'cosmjs-types/cosmos/consensus/v1/tx';
import { TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import {
  type ExecTxResult,
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  ResponseProcessProposal_ProposalStatus as Status,
} from 'cosmjs-types/tendermint/abci/types';
import { createMuApp, muStoreNames } from '../../src/mu-app.ts';
import { actors, Market, marketGenesis } from '../app/market.ts';
import { type AppState, MuChain, withAuthority } from '../app/mu-chain.ts';
import { largestTx, type Nodes, nodesWithDueOrder, poolOf, sizeOf } from './proposals.ts';

const messagesOf = (raw: Uint8Array | undefined): TxBody['messages'] =>
  raw === undefined ? [] : TxBody.decode(TxRaw.decode(raw).bodyBytes).messages;
const codesOf = (results: readonly ExecTxResult[]): number[] => results.map(({ code }) => code);

describe('initial height', () => {
  test('a chain that begins from an export where an order is due begins with its match', async () => {
    const { market, first } = await nodesWithDueOrder();
    const copy = MuChain.begin(market.chain.app.exportState(), undefined, 8n);
    expect(copy.due()).toEqual(first);
    expect(copy.process([])).toBe(Status.REJECT);
    expect((await copy.block()).injected?.result.code).toBe(0);
    await market.chain.block();
    expect(copy.app.exportState()).toEqual(market.chain.app.exportState());
  });
});

describe('block sync and replay', () => {
  test('a node that is only told to finalize has the same state, started anew before that block too', async () => {
    const { market } = await nodesWithDueOrder();
    await market.chain.to(12n);
    for (const restarts of [[], [7n], [6n, 7n, 8n]]) {
      const store = new MemoryCommitStore(muStoreNames);
      let node = MuChain.begin(marketGenesisOf(market), store);
      for (const { height, txs, appHash } of market.chain.blocks) {
        expect(node.feed({ height, txs }).appHash).toBe(appHash);
        if (restarts.includes(height)) node = MuChain.resume(store);
      }
    }
  });

  const marketGenesisOf = (market: Market): AppState => withAuthority(marketGenesis(market.who), market.who.treasury);
});

describe('a proposer that', () => {
  let nodes: Nodes;
  let pool: ReadonlyMap<string, Uint8Array>;
  const tx = (name: string): Uint8Array => pool.get(name) as Uint8Array;
  beforeAll(async () => {
    nodes = await nodesWithDueOrder();
    pool = await poolOf(nodes);
  });

  const cases: [string, () => Uint8Array[], number[]][] = [
    ['leaves it out', () => [], []],
    ['leaves it out for others', () => [tx('good')], [0]],
    ['changes its height', () => [tx('what is due, of another height')], [4]],
    ['changes its messages', () => [tx('what is due, twice'), tx('good')], [4, 0]],
    ['signs it', () => [tx('what is due, signed')], [4]],
    ['puts it behind another', () => [tx('good'), nodes.first], [0, 4]],
  ];
  test.each(cases)('%s is refused, and a block of it leaves the order due', (_what, block, codes) => {
    expect(nodes.q.process(block())).toBe(Status.REJECT);
    const store = new MemoryCommitStore(muStoreNames);
    const state = withAuthority(marketGenesis(nodes.market.who), nodes.market.who.treasury);
    const node = MuChain.begin(state, store);
    for (const done of nodes.p.blocks) node.feed(done);
    expect(codesOf(node.feed({ height: 8n, txs: block() }, block().length).results)).toEqual(codes);
    expect(messagesOf(node.due())).toEqual(messagesOf(nodes.first));
    expect(new Market(node, nodes.market.who).order(1n).state).toBe(OrderState.ORDER_STATE_OPEN);
  });

  test.each([
    ['repeats it', () => [nodes.first, nodes.first]],
    ['adds another', () => [nodes.first, tx('what is due, of another height')]],
  ])('%s is refused, and in a block the second one changes nothing', (_what, block) => {
    expect(nodes.q.process(block())).toBe(Status.REJECT);
    const [alone, more] = [[nodes.first], block()].map((txs) => {
      const request = RequestFinalizeBlock.fromPartial({
        height: 8n,
        txs,
        time: { seconds: 1_767_225_608n, nanos: 0 },
      });
      return nodes.q.app.finalizeBlock(request);
    });
    expect(codesOf(more?.txResults ?? [])).toEqual([0, 4]);
    expect(more?.appHash).toEqual(alone?.appHash);
  });

  test('adds one where nothing is due is refused', () => {
    const copy = MuChain.begin(marketGenesis(nodes.market.who));
    expect(copy.process([])).toBe(Status.ACCEPT);
    expect(copy.process([encodeSystemTx(messagesOf(nodes.first), 1n) as Uint8Array])).toBe(Status.REJECT);
  });
});

describe('bounds', () => {
  test('of items: what is above them waits for the next block', async () => {
    const who = await actors();
    const state = structuredClone(marketGenesis(who)) as { market: { params: Record<string, unknown> } };
    Object.assign(state.market.params, { max_injected_items: 2 });
    const market = new Market(MuChain.begin(state as unknown as AppState), who);
    await market.register();
    for (const dseq of [1n, 2n, 3n]) await market.deploy(dseq);
    const bids = [1n, 2n, 3n].map((dseq) => market.bidOf(who.cheap, dseq, '9.25'));
    await market.chain.block(...bids);
    const lengths: number[] = [];
    for (let block = 0; block < 5; block += 1) {
      lengths.push(messagesOf((await market.chain.block()).injected?.raw).length);
    }
    expect(lengths).toEqual([0, 0, 2, 1, 0]);
  });

  test('of bytes: 65,536, and the rest waits', async () => {
    const { first } = await nodesWithDueOrder();
    const [message] = messagesOf(first);
    const many = Array.from({ length: 3_000 }, () => message as NonNullable<typeof message>);
    const cut = encodeSystemTx(many, 8n) as Uint8Array;
    expect(cut.length).toBeLessThanOrEqual(maxSystemTxBytes);
    expect(messagesOf(encodeSystemTx([...messagesOf(cut), ...messagesOf(first)], 8n)).length).toBe(
      messagesOf(cut).length,
    );
  });
});

describe('an item that fails', () => {
  afterEach(() => void jest.restoreAllMocks());

  test('is closed with a reason in the same block, the others are matched, and nothing is due twice', async () => {
    const who = await actors();
    const market = new Market(MuChain.begin(marketGenesis(who)), who);
    await market.register();
    for (const dseq of [1n, 2n]) await market.deploy(dseq);
    await market.chain.block(...[1n, 2n].map((dseq) => market.bidOf(who.cheap, dseq, '9.25')));
    await market.chain.to(8n);
    const match = MarketKeeper.prototype.match;
    jest.spyOn(MarketKeeper.prototype, 'match').mockImplementation(function (this: MarketKeeper, ctx, id) {
      const lease = match.call(this, ctx, id);
      if (id.dseq === 1n) throw new TypeError('a fault');
      return lease;
    });
    const { injected } = await market.chain.block();
    expect(injected?.result.code).toBe(0);
    const { msgResponses } = TxMsgData.decode(injected?.result.data as Uint8Array);
    expect(msgResponses.map(({ value }) => MsgSubmitLeaseResponse.decode(value).code)).toEqual([111_222, 0]);
    expect(market.order(1n)).toMatchObject({
      state: OrderState.ORDER_STATE_CLOSED,
      closeReason: CloseReason.CLOSE_REASON_MATCH_FAILED,
    });
    expect(market.lease(1n)).toMatchObject({ state: LeaseState.LEASE_STATE_ACTIVE });
    expect(market.chain.due()).toBeUndefined();
  });
});

describe('consensus parameters that would starve it', () => {
  const mebi = minBlockBytes;
  const block = (maxBytes: bigint, maxGas = -1n): object => ({ block: { maxBytes, maxGas } });
  const genesis = (consensusParams: object): void => {
    const app = createMuApp({ store: new MemoryCommitStore(muStoreNames) });
    const appStateBytes = new TextEncoder().encode('{}');
    app.initChain(RequestInitChain.fromPartial({ chainId: 'a', appStateBytes, consensusParams }));
  };

  test.each([
    ['too few bytes', block(mebi - 1n), 'block.max_bytes is 1048575; it must be -1 or ≥ 1048576'],
    ['no gas at all', block(mebi, 0n), 'block.max_gas is 0'],
    ['more bytes than CometBFT knows', block(maxBlockBytes + 1n), 'block.MaxBytes is too big'],
  ])('are refused in genesis: %s', (_what, params, message) => {
    expect(() => genesis(params)).toThrow(message);
  });

  test('are mended in genesis where evidence may take the whole block, and the engine is told', () => {
    const app = createMuApp({ store: new MemoryCommitStore(muStoreNames) });
    const appStateBytes = new TextEncoder().encode('{}');
    const answer = app.initChain(
      RequestInitChain.fromPartial({ chainId: 'a', appStateBytes, consensusParams: block(mebi) }),
    );
    expect(answer.consensusParams?.evidence?.maxBytes).toBe(mebi - reservedBlockBytes);
  });

  const evidence = { maxAgeNumBlocks: 1n, maxAgeDuration: { seconds: 1n, nanos: 0 }, maxBytes: 0n };
  const validator = { pubKeyTypes: ['ed25519'] };
  test.each([
    ['too few bytes', { ...block(mebi - 1n), evidence, validator }, 18],
    ['no gas at all', { ...block(mebi, 0n), evidence, validator }, 18],
    ['too much evidence', { ...block(mebi), evidence: { ...evidence, maxBytes: mebi - 262_143n }, validator }, 18],
    ['other keys than the validators’', { ...block(mebi), evidence, validator: { pubKeyTypes: ['secp256k1'] } }, 18],
    ['the least that there is', { ...block(mebi), evidence: { ...evidence, maxBytes: mebi - 262_144n }, validator }, 0],
    ['no limits', { ...block(-1n), evidence, validator }, 0],
  ])('are refused as an update: %s', async (_what, params, code) => {
    const { market } = await nodesWithDueOrder();
    const authority = market.who.treasury;
    const message = MsgUpdateParams.fromPartial({ authority: authority.address, ...params });
    expect(await market.chain.run(authority, MsgUpdateParams, message)).toMatchObject({ code });
  });
});

describe('a mempool full of the largest transactions', () => {
  test('leaves it its place, in the least room that parameters can leave', async () => {
    const nodes = await nodesWithDueOrder();
    const send = messagesOf((await poolOf(nodes)).get('good'))[0] as NonNullable<TxBody['messages'][number]>;
    const mempool = Array.from({ length: 8 }, (_, seed) => largestTx(send, seed));
    for (const [maxTxBytes, expected] of [
      [2_097_152n, 2],
      [1_048_576n, 1],
      [reservedBlockBytes, 1],
      [BigInt(sizeOf([nodes.first])), 1],
    ] as const) {
      const request = RequestPrepareProposal.fromPartial({ height: 8n, txs: mempool, maxTxBytes });
      const { txs } = nodes.p.app.prepareProposal(request);
      expect(txs[0]).toEqual(nodes.first);
      expect(txs).toHaveLength(expected);
      expect(sizeOf(txs)).toBeLessThanOrEqual(Number(maxTxBytes));
      expect(nodes.q.process(txs)).toBe(Status.ACCEPT);
    }
  });
});
