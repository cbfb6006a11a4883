/** A market with the bids of one provider, and the sender and client that a bidder needs of it. */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import type { SentTx } from '@mu/client/chain/sender';
import {
  Fulfillment,
  FulfillmentState,
  Lease,
  LeaseState,
  type MsgCancelFulfillment,
  type MsgSubmitFulfillment,
  MsgSubmitFulfillmentResponse,
  type Order,
  type OrderId,
} from '@mu/proto/market';
import { type Attestation, PriceList } from '@mu/proto/provider';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import { orderKey } from '../../src/watch/order-key.ts';

type Bid = EncodeObject & { readonly value: MsgSubmitFulfillment | MsgCancelFulfillment };

export class FakeMarket {
  readonly bids: Fulfillment[] = [];
  readonly leases: Lease[] = [];
  /** what the chain says of orders, by key */
  readonly orders = new Map<string, Order>();
  attestations: Attestation[] = [];
  priceList: PriceList | undefined = PriceList.fromPartial({ version: 3n });
  balance = 1_000_000n;
  height = 10;
  /** messages by transaction, of all that came into a block */
  readonly transactions: (readonly EncodeObject[])[] = [];
  /** what is asked answers no more */
  isAway = false;
  /** codes of x/market for bids, by key of the order */
  readonly refuses = new Map<string, number>();
  /** transactions wait for `release` before they come into a block */
  holdsBack = false;
  #waiting: (() => void)[] = [];

  readonly sender = {
    address: 'mu1operator',
    send: async (messages: readonly EncodeObject[]): Promise<SentTx> => {
      this.#reached();
      for (const message of messages as readonly Bid[]) this.#refuse(message);
      const committed = async (): Promise<CommittedTx> => {
        if (this.holdsBack) await new Promise<void>((resolve) => this.#waiting.push(resolve));
        return this.#run(messages as readonly Bid[]);
      };
      const running = committed();
      running.catch(() => undefined);
      return { hash: 'AB', committed: () => running };
    },
  };

  client(): ChainClient {
    const fake = {
      balance: async () => this.#reached(this.balance),
      market: {
        fulfillments: async ({ state }: { state: FulfillmentState }) =>
          this.#reached({ fulfillments: this.bids.filter((bid) => bid.state === state) }),
        fulfillment: async ({ number }: { number: bigint }) =>
          this.#reached({ fulfillment: this.bids.find((bid) => bid.number === number) }),
        leases: async () =>
          this.#reached({ leases: this.leases.filter(({ state }) => state === LeaseState.LEASE_STATE_ACTIVE) }),
        order: async (id: OrderId) => this.#reached({ order: this.orders.get(orderKey(id)) }),
      },
      provider: {
        attestations: async () => this.#reached({ attestations: this.attestations }),
        priceList: async () => {
          if (this.priceList === undefined) throw new ChainError('none', { code: 22, notFound: true });
          return this.#reached({ priceList: this.priceList });
        },
      },
    };
    return fake as unknown as ChainClient;
  }

  release(): void {
    this.holdsBack = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  bidOf(id: OrderId): Fulfillment | undefined {
    return this.bids.findLast(({ order }) => orderKey(order as OrderId) === orderKey(id));
  }

  end(id: OrderId, state: FulfillmentState): Fulfillment {
    const at = this.bids.findLastIndex(({ order }) => orderKey(order as OrderId) === orderKey(id));
    const ended = { ...(this.bids[at] as Fulfillment), state, closedHeight: BigInt(this.height) };
    this.bids[at] = ended;
    return ended;
  }

  /** The bid becomes a lease in this block. */
  match(id: OrderId): Lease {
    const { order, provider, resources, collateral } = this.end(id, FulfillmentState.FULFILLMENT_STATE_MATCHED);
    const lease = Lease.fromPartial({
      number: BigInt(this.leases.length + 1),
      order,
      provider,
      resources,
      collateral,
      state: LeaseState.LEASE_STATE_ACTIVE,
      createdHeight: BigInt(this.height),
    });
    this.leases.push(lease);
    return lease;
  }

  #refuse({ value }: Bid): void {
    const code = 'order' in value ? this.refuses.get(orderKey(value.order as OrderId)) : undefined;
    if (code !== undefined) throw new ChainError('the market says no', { codespace: 'market', code });
  }

  #run(messages: readonly Bid[]): CommittedTx {
    this.transactions.push(messages);
    const msgResponses = messages.map(({ typeUrl, value }) => ({ typeUrl, value: this.#carryOut(value) }));
    const data = TxMsgData.encode(TxMsgData.fromPartial({ msgResponses })).finish();
    return { hash: 'AB', height: this.height, code: 0, codespace: '', log: '', gasUsed: 1n, data, events: [] };
  }

  #carryOut(value: MsgSubmitFulfillment | MsgCancelFulfillment): Uint8Array {
    if (!('order' in value)) {
      const bid = this.bids.find(({ number }) => number === value.number) as Fulfillment;
      this.end(bid.order as OrderId, FulfillmentState.FULFILLMENT_STATE_CANCELED);
      return new Uint8Array();
    }
    const number = BigInt(this.bids.length + 1);
    const { order, provider, resources, priceListVersion } = value;
    const locked = resources.reduce((sum, group) => sum + BigInt(group.collateral) * BigInt(group.count), 0n);
    const state = FulfillmentState.FULFILLMENT_STATE_OPEN;
    const own = { number, order, provider, resources, priceListVersion, collateral: `${locked}`, state };
    this.bids.push(Fulfillment.fromPartial(own as Partial<Fulfillment>));
    return MsgSubmitFulfillmentResponse.encode(MsgSubmitFulfillmentResponse.fromPartial({ number })).finish();
  }

  #reached(): void;
  #reached<T>(answer: T): T;
  #reached<T>(answer?: T): T | undefined {
    if (this.isAway) throw new TypeError('fetch failed');
    return answer;
  }
}
