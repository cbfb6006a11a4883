/** The market inside the application: what blocks begin with, refused proposals, wrong first transactions, failures. */
import { describe, expect, test } from '@jest/globals';
import { BaseApp } from '@mu/framework/base-app';
import type { AppModule } from '@mu/framework/module';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { encodeSystemTx } from '@mu/framework/system-tx';
import { utf8 } from '@mu/lib/bytes';
import {
  CloseReason,
  LeaseState,
  MsgSubmitFulfillment,
  MsgSubmitLease,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseResponse,
  MsgSubmitStaleLease,
  MsgSubmitStaleLeaseResponse,
  type OrderId,
  OrderState,
  type Params,
} from '@mu/proto/market';
import { registry } from '@mu/proto/registry';
import { ConsensusKeeper } from '@mu/x-consensus/keeper';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import { AuthInfo, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { Any } from 'cosmjs-types/google/protobuf/any';
import {
  RequestCheckTx,
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  RequestProcessProposal,
  type ResponseFinalizeBlock,
  ResponseProcessProposal_ProposalStatus as Status,
} from 'cosmjs-types/tendermint/abci/types';
import { createMarketModule } from '../src/module.ts';
import { paramsItem } from '../src/state.ts';
import { createMarketSystemTx } from '../src/system-tx.ts';
import {
  chain,
  dump,
  infrastructure,
  initialFunds,
  marketAccount,
  providerA,
  providerB,
  stranger,
  user,
  World,
} from './world.ts';

interface Message<T> {
  readonly $type: string;
  encode(message: T): { finish(): Uint8Array };
  fromPartial(message: object): T;
}

const any = <T>(codec: Message<T>, message: object): Any =>
  Any.fromPartial({ typeUrl: `/${codec.$type}`, value: codec.encode(codec.fromPartial(message)).finish() });

/** A transaction of users; this application checks no signature. */
const signed = (...messages: Any[]): Uint8Array =>
  TxRaw.encode({
    bodyBytes: TxBody.encode(TxBody.fromPartial({ messages })).finish(),
    authInfoBytes: AuthInfo.encode(AuthInfo.fromPartial({ fee: { gasLimit: 1_000_000n } })).finish(),
    signatures: [new Uint8Array(64)],
  }).finish();

/** A chain of the market alone, with `orders` open orders of one user since genesis. */
class Chain {
  readonly world = new World();
  readonly store = new MemoryCommitStore(['app', 'consensus', 'market', 'bank']);
  readonly app: BaseApp;
  height = 0n;

  constructor(orders: number, params: Partial<Params> = {}, persist = true) {
    const market = createMarketModule({ keeper: this.world.keeper, deps: this.world.deps });
    const around: AppModule = {
      ...market,
      name: 'around',
      storeName: 'bank',
      invariants: [],
      genesis: {
        defaults: () => ({}),
        validate: () => undefined,
        export: () => ({}),
        init: (ctx) => this.#fill(ctx, orders, persist, params),
      },
      registerMsgs: () => undefined,
      registerQueries: () => undefined,
      endBlock: () => undefined,
    };
    this.app = new BaseApp({
      name: 'market-test',
      version: '1',
      store: this.store,
      modules: [market, around],
      descriptors: registry,
      ante: [],
      systemTx: createMarketSystemTx(this.world.keeper),
      params: new ConsensusKeeper(),
      checkInvariants: true,
    });
    this.app.initChain(
      RequestInitChain.fromPartial({
        chainId: chain.chainId,
        appStateBytes: utf8('{}'),
        initialHeight: 1n,
        consensusParams: { block: { maxBytes: 2_000_000n, maxGas: -1n } },
      }),
    );
  }

  #fill(ctx: World['ctx'], orders: number, persist: boolean, params: Partial<Params>): void {
    this.world.ctx = ctx;
    this.world.begin(ctx, params);
    for (let dseq = 1; dseq <= orders; dseq += 1)
      this.world.deploy(BigInt(dseq), [infrastructure({ persist })], 1_000n);
  }

  order(dseq: number, round = 1): OrderId {
    return { owner: user, dseq: BigInt(dseq), infrastructure: 0, round };
  }

  /** What the next block must begin with, as a proposer finds it. */
  proposal(txs: Uint8Array[] = []): Uint8Array[] {
    return this.app.prepareProposal(
      RequestPrepareProposal.fromPartial({ height: this.height + 1n, txs, maxTxBytes: 2_000_000n }),
    ).txs;
  }

  accepts(txs: Uint8Array[]): boolean {
    const answer = this.app.processProposal(RequestProcessProposal.fromPartial({ height: this.height + 1n, txs }));
    return answer.status === Status.ACCEPT;
  }

  finalize(txs: Uint8Array[]): ResponseFinalizeBlock {
    this.height += 1n;
    const answer = this.app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: this.height, txs }));
    this.app.commit();
    this.world.ctx = this.app.queryContext();
    return answer;
  }

  /** Blocks as honest validators make them. */
  block(...txs: Uint8Array[]): ResponseFinalizeBlock {
    const proposal = this.proposal(txs);
    expect(this.accepts(proposal)).toBe(true);
    return this.finalize(proposal);
  }

  blocksTo(height: bigint): void {
    while (this.height < height) this.block();
  }

  bidTx(dseq: number, provider: string, price: string, round = 1): Uint8Array {
    this.world.ctx = this.app.queryContext();
    return signed(any(MsgSubmitFulfillment, this.world.bidMessage(this.order(dseq, round), provider, price)));
  }
}

const responses = (data: Uint8Array | undefined): Any[] => TxMsgData.decode(data as Uint8Array).msgResponses;
const messagesOf = (raw: Uint8Array | undefined): Any[] =>
  TxBody.decode(TxRaw.decode(raw as Uint8Array).bodyBytes).messages;

describe('a due order', () => {
  /** The order is due in block 4. */
  const due = (): Chain => {
    const net = new Chain(1);
    net.block(net.bidTx(1, providerA, '9'), net.bidTx(1, providerB, '8'));
    net.blocksTo(3n);
    return net;
  };

  test('is matched by the first transaction of its block, which nobody signed and which costs no gas', () => {
    const net = due();
    const [first] = net.proposal();
    const tx = TxRaw.decode(first!);
    const body = TxBody.decode(tx.bodyBytes);
    expect(tx.signatures).toEqual([]);
    expect(body).toMatchObject({ memo: '', timeoutHeight: 4n });
    expect(MsgSubmitLease.decode(body.messages[0]!.value)).toEqual({ sender: marketAccount, order: net.order(1) });
    expect(AuthInfo.decode(tx.authInfoBytes)).toMatchObject({ signerInfos: [], fee: { amount: [], gasLimit: 0n } });
    const answer = net.block();
    expect(answer.txResults[0]).toMatchObject({ code: 0, gasUsed: 0n });
    const [response] = responses(answer.txResults[0]?.data);
    expect(MsgSubmitLeaseResponse.decode(response!.value)).toEqual({
      lease: 1n,
      provider: providerB,
      code: 0,
      codespace: '',
    });
    expect(net.world.order(net.order(1))).toMatchObject({ state: OrderState.ORDER_STATE_MATCHED, lease: 1n });
    expect(answer.txResults[0]?.events.map(({ type }) => type)).toEqual(['message', 'lease_created', 'bid_lost']);
    expect(net.proposal()).toEqual([]);
  });

  test('makes ProcessProposal refuse a first transaction that is missing, wrong, or not the first', () => {
    const net = due();
    const [first] = net.proposal();
    const bid = net.bidTx(1, providerA, '7');
    expect(net.accepts([])).toBe(false);
    expect(net.accepts([bid])).toBe(false);
    expect(net.accepts([bid, first!])).toBe(false);
    expect(net.accepts([encodeSystemTx(messagesOf(first), 5n)!])).toBe(false);
    expect(net.accepts([encodeSystemTx([...messagesOf(first), ...messagesOf(first)], 4n)!])).toBe(false);
    expect(net.accepts([first!, first!])).toBe(false);
    expect(net.accepts([first!, bid])).toBe(true);
    expect(net.proposal([bid])).toEqual([first, bid]);
  });

  test('and nothing due accepts no such transaction', () => {
    const net = new Chain(1);
    const message = any(MsgSubmitLease, { sender: marketAccount, order: net.order(1) });
    expect(net.accepts([encodeSystemTx([message], 1n)!])).toBe(false);
    expect(net.accepts([])).toBe(true);
  });

  test('is not matched by a wrong transaction in FinalizeBlock: code 4, nothing changed, still due', () => {
    const net = due();
    const before = dump(net.world.ctx);
    const wrong = encodeSystemTx([any(MsgSubmitStaleLease, { sender: marketAccount, lease: 1n })], 4n)!;
    const answer = net.finalize([wrong]);
    expect(answer.txResults[0]).toMatchObject({ code: 4, codespace: 'sdk' });
    expect(dump(net.app.queryContext())).toEqual(before);
    net.block();
    expect(net.world.order(net.order(1)).state).toBe(OrderState.ORDER_STATE_MATCHED);
  });

  test('is matched by a signed transaction of anyone too, but never in the name of the market', () => {
    const net = due();
    const message = { sender: stranger, order: net.order(1) };
    const forged = signed(any(MsgSubmitLease, { ...message, sender: marketAccount }));
    expect(net.app.checkTx(RequestCheckTx.fromPartial({ tx: forged }))).toMatchObject({ code: 4, codespace: 'sdk' });
    const own = signed(any(MsgSubmitLease, message));
    expect(net.finalize([forged, own]).txResults.map(({ code }) => code)).toEqual([4, 0]);
    expect(net.world.leaseAt(1n)).toMatchObject({ provider: providerB, createdHeight: 4n });
  });

  test('does not hear bids of its own block, which come behind the match', () => {
    const net = due();
    const answer = net.block(net.bidTx(1, providerA, '1'));
    expect(answer.txResults.map(({ code }) => code)).toEqual([0, 3]);
  });

  test('is asked for by a pure function: it writes nothing and answers the same again', () => {
    const net = due();
    const ctx = net.app.queryContext();
    const before = dump(ctx);
    const source = createMarketSystemTx(net.world.keeper);
    const messages = source.due(ctx, 4n);
    expect(source.due(net.app.queryContext(), 4n)).toEqual(messages);
    expect(messages).toHaveLength(1);
    expect(source.due(ctx, 3n)).toEqual([]);
    expect(dump(ctx)).toEqual(before);
  });
});

describe('a stale lease', () => {
  test('is broken by the block behind its deadline, its next round matched; a confirmation keeps it', () => {
    const net = new Chain(1, { confirmationBlocks: 5n, reconfirmationBlocks: 5n });
    net.block(net.bidTx(1, providerA, '10'));
    net.blocksTo(8n);
    const confirmation = { lease: 1n, endpoints: ['http://a:1'], manifestState: 3, manifestRevision: 1n };
    const confirm = signed(any(MsgSubmitLeaseConfirmation, { sender: providerA, confirmation }));
    expect(net.block(confirm).txResults[0]?.code).toBe(0);
    expect(net.world.leaseAt(1n)).toMatchObject({ confirmBy: 14n, paid: '100' });
    net.blocksTo(14n);
    expect(net.world.leaseAt(1n).state).toBe(LeaseState.LEASE_STATE_ACTIVE);
    const answer = net.block(confirm);
    const [response] = responses(answer.txResults[0]?.data);
    expect(MsgSubmitStaleLeaseResponse.decode(response!.value)).toEqual({
      toUser: '200',
      burnt: '0',
      code: 0,
      codespace: '',
    });
    expect(answer.txResults[1]).toMatchObject({ code: 24, codespace: 'market' });
    expect(net.world.leaseAt(1n).state).toBe(LeaseState.LEASE_STATE_BROKEN);
    net.block(net.bidTx(1, providerB, '9', 2));
    net.blocksTo(19n);
    expect(net.world.leaseAt(2n)).toMatchObject({ provider: providerB, state: LeaseState.LEASE_STATE_ACTIVE });
    expect(net.world.bank.supply(net.world.ctx)).toBe(5n * initialFunds);
  });

  test('comes before orders; the rest waits where the items are cut, by number', () => {
    const net = new Chain(6, { confirmationBlocks: 5n, maxInjectedItems: 3 });
    net.block(net.bidTx(1, providerA, '10'), net.bidTx(2, providerA, '10'));
    net.blocksTo(6n);
    net.block(...[3, 4, 5, 6].map((dseq) => net.bidTx(dseq, providerB, '10')));
    net.blocksTo(9n);
    // Leases 1 and 2 (deadline 9) are stale and orders 3 to 6 are due in block 10.
    const kinds = () =>
      messagesOf(net.proposal()[0]).map(({ typeUrl, value }) =>
        typeUrl.endsWith('StaleLease')
          ? `lease ${MsgSubmitStaleLease.decode(value).lease}`
          : `order ${MsgSubmitLease.decode(value).order?.dseq}`,
      );
    expect(kinds()).toEqual(['lease 1', 'lease 2', 'order 3']);
    net.block();
    expect(kinds()).toEqual(['order 4', 'order 5', 'order 6']);
    net.block();
    expect(net.proposal()).toEqual([]);
  });

  test('and orders are cut by their cost, which counts bids; the first item never is', () => {
    const net = new Chain(3, { maxInjectedCost: 5, maxBidsPerOrder: 4 });
    net.block(...[1, 2, 3].flatMap((dseq) => [net.bidTx(dseq, providerA, '10'), net.bidTx(dseq, providerB, '10')]));
    net.blocksTo(3n);
    const source = createMarketSystemTx(net.world.keeper);
    expect(source.due(net.app.queryContext(), 4n)).toHaveLength(1);
    net.block();
    net.block();
    net.block();
    expect(net.world.leaseAt(3n)).toMatchObject({ provider: providerA, createdHeight: 6n });
  });
});

test('a cost bound lowered below the bids of a standing order does not keep it due for ever', () => {
  const net = new Chain(1);
  net.block(net.bidTx(1, providerA, '10'), net.bidTx(1, providerB, '10'));
  const ctx = net.app.queryContext();
  paramsItem.set(ctx, { ...paramsItem.get(ctx), maxBidsPerOrder: 1, maxInjectedCost: 2 });
  expect(createMarketSystemTx(net.world.keeper).due(ctx, 4n)).toHaveLength(1);
});

describe('an item that fails', () => {
  test('closes its order in the same block with its code, bids get their collateral, others are matched', () => {
    const net = new Chain(2);
    net.block(net.bidTx(1, providerA, '10'), net.bidTx(2, providerA, '10'));
    net.blocksTo(3n);
    const match = net.world.keeper.match.bind(net.world.keeper);
    net.world.keeper.match = (ctx, id) => {
      if (id.dseq === 1n) {
        match(ctx, id);
        throw new TypeError('a fault');
      }
      return match(ctx, id);
    };
    const answer = net.block();
    expect(answer.txResults[0]?.code).toBe(0);
    const decoded = responses(answer.txResults[0]?.data).map(({ value }) => MsgSubmitLeaseResponse.decode(value));
    expect(decoded).toEqual([
      { lease: 0n, provider: '', code: 111222, codespace: 'sdk' },
      { lease: 1n, provider: providerA, code: 0, codespace: '' },
    ]);
    expect(net.world.order(net.order(1))).toMatchObject({
      state: OrderState.ORDER_STATE_CLOSED,
      closeReason: CloseReason.CLOSE_REASON_MATCH_FAILED,
    });
    expect(net.world.over).toEqual([`${user}/1`]);
    expect(answer.txResults[0]?.events.map(({ type }) => type)).toContain('match_failed');
    expect(net.proposal()).toEqual([]);
  });

  test('ends its lease without a new round, also where the hook of its deployment fails', () => {
    const net = new Chain(1, { confirmationBlocks: 1n }, false);
    net.block(net.bidTx(1, providerA, '10'));
    net.blocksTo(5n);
    net.world.hookFault = new TypeError('a fault');
    const answer = net.block();
    const [response] = responses(answer.txResults[0]?.data);
    expect(MsgSubmitStaleLeaseResponse.decode(response!.value)).toEqual({
      toUser: '0',
      burnt: '0',
      code: 111222,
      codespace: 'sdk',
    });
    expect(net.world.leaseAt(1n)).toMatchObject({
      state: LeaseState.LEASE_STATE_BROKEN,
      closeReason: CloseReason.CLOSE_REASON_MATCH_FAILED,
    });
    expect(net.world.balance(user)).toBe(initialFunds - 1_000n + 200n);
    expect(net.proposal()).toEqual([]);
  });

  test('that is over already changes nothing', () => {
    const net = new Chain(1);
    const ctx = net.app.queryContext();
    const before = dump(ctx);
    const failure = { code: 5, codespace: 'sdk', log: '' };
    net.world.keeper.settleFailedOrder(ctx, { ...net.order(1), round: 4 }, failure);
    net.world.keeper.settleFailedLease(ctx, 4n, failure);
    expect(dump(ctx)).toEqual(before);
  });
});

test('two nodes that see the same blocks have the same app hash', () => {
  const hashes = [new Chain(2), new Chain(2)].map((net) => {
    const first = net.block(net.bidTx(1, providerA, '10'), net.bidTx(2, providerB, '9'));
    net.blocksTo(40n);
    return [first.appHash, net.store.last.appHash];
  });
  expect(hashes[0]).toEqual(hashes[1]);
  expect(hashes[0]?.[0]).not.toEqual(hashes[0]?.[1]);
});

test('an exported market goes on in another chain as it would have gone on here', () => {
  const net = new Chain(2);
  net.block(net.bidTx(1, providerA, '10'), net.bidTx(2, providerB, '9'));
  net.blocksTo(6n);
  const state = net.app.exportState();
  const other = new Chain(0);
  const ctx = other.app.queryContext();
  other.world.ctx = ctx;
  const market = createMarketModule({ keeper: other.world.keeper, deps: other.world.deps });
  const fresh = new MemoryCommitStore(['market']);
  const target = ctx.with({ stores: fresh });
  market.genesis.init(target, state['market']!);
  expect([...fresh.store('market').iterate()]).toEqual([...net.app.queryContext().stores.store('market').iterate()]);
  const due = createMarketSystemTx(net.world.keeper).due;
  expect(due(target, 35n)).toEqual(due(net.app.queryContext(), 35n));
  expect(due(target, 35n)).toHaveLength(2);
});
