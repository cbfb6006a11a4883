/** The model as a whole: what a block begins with, its transactions, its end. */
import * as billing from '@mu/proto/billing';
import * as deployment from '@mu/proto/deployment';
import * as market from '@mu/proto/market';
import { FulfillmentState, LeaseState, OrderState } from '@mu/proto/market';
import * as provider from '@mu/proto/provider';
import { orderOfAddresses } from './addresses.ts';
import { cancelFulfillment, submitFulfillment } from './bids.ts';
import { cancelDeployment, submitDeployment, updateDeployment } from './deployments.ts';
import { deposit, settleEscrows, withdraw } from './escrow.ts';
import {
  announceLeave,
  breakStale,
  closeLease,
  endGraces,
  submitLeaseConfirmation,
  submitLeaseConfirmations,
} from './leases.ts';
import { match } from './orders.ts';
import { updateParams } from './params.ts';
import {
  addNode,
  attestProvider,
  deregisterProvider,
  endUnbondings,
  publishPriceList,
  registerProvider,
  removeNode,
  updateProvider,
} from './providers.ts';
import type { ModelLease, ModelOrder } from './records.ts';
import { Refusal } from './refusal.ts';
import { updateUsage } from './usage.ts';
import { accounts, World, type WorldOptions } from './world.ts';

/** A message as bytes, as a transaction carries it. */
export interface Encoded {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** A transaction of one signer. */
export interface Transaction {
  readonly signer: string;
  readonly fee: bigint;
  readonly messages: readonly Encoded[];
  /** SHA-256 of its bytes */
  readonly hash: Uint8Array;
}

/** What becomes of a transaction. */
export interface Outcome {
  readonly code: number;
  readonly codespace: string;
  /** what each message answers, as far as the model says it */
  readonly responses: readonly object[];
}

/** What a block must begin with, one thing a line: `stale 7`, `match mu1…/3/0/1`. */
export type Due = readonly string[];

interface Codec {
  readonly $type: string;
  decode(bytes: Uint8Array): object;
  encode(message: never): { finish(): Uint8Array };
}

type Handler = (world: World, message: never) => object;

const handlers: readonly (readonly [Codec, Handler])[] = [
  [provider.MsgRegisterProvider, registerProvider],
  [provider.MsgUpdateProvider, updateProvider],
  [provider.MsgPublishPriceList, publishPriceList],
  [provider.MsgAddNode, addNode],
  [provider.MsgRemoveNode, removeNode],
  [provider.MsgDeregisterProvider, deregisterProvider],
  [provider.MsgAttestProvider, attestProvider],
  [provider.MsgUpdateParams, updateParams('provider')],
  [deployment.MsgSubmitDeployment, submitDeployment],
  [deployment.MsgUpdateDeployment, updateDeployment],
  [deployment.MsgCancelDeployment, cancelDeployment],
  [deployment.MsgUpdateParams, updateParams('deployment')],
  [market.MsgSubmitFulfillment, submitFulfillment],
  [market.MsgCancelFulfillment, cancelFulfillment],
  [market.MsgSubmitLease, match],
  [market.MsgSubmitStaleLease, breakStale],
  [market.MsgSubmitLeaseConfirmation, submitLeaseConfirmation],
  [market.MsgSubmitLeaseConfirmations, submitLeaseConfirmations],
  [market.MsgCloseLease, closeLease],
  [market.MsgAnnounceLeave, announceLeave],
  [market.MsgUpdateParams, updateParams('market')],
  [billing.MsgDeposit, deposit],
  [billing.MsgWithdraw, withdraw],
  [billing.MsgUpdateUsage, updateUsage],
  [billing.MsgUpdateParams, updateParams('billing')],
];

const byUrl = new Map(handlers.map(([codec, handler]) => [`/${codec.$type}`, { codec, handler }]));

/** The message with the addresses of its own fields, and of the order that it names, written in another way. */
function rewritten<T extends object>(message: T, write: (address: string) => string): T {
  const isAddress = (value: unknown): value is string => typeof value === 'string' && /^mu1[a-z0-9]{38}$/i.test(value);
  const fields = Object.entries(message).map(([name, value]) => {
    if (name === 'order' && typeof value === 'object' && value !== null) return [name, rewritten(value, write)];
    return [name, isAddress(value) ? write(value) : value];
  });
  return Object.fromEntries(fields) as T;
}

/** The same message in capitals, as bech32 allows: it must do the same. */
export function shouted({ typeUrl, value }: Encoded): Encoded {
  const codec = byUrl.get(typeUrl)?.codec as Codec;
  const message = rewritten(codec.decode(value), (address) => address.toUpperCase());
  return { typeUrl, value: codec.encode(message as never).finish() };
}

/** A message as text, for whoever looks for what went wrong. */
export function describe({ typeUrl, value }: Encoded): string {
  const readable = (_: string, one: unknown): unknown => {
    if (typeof one === 'bigint') return `${one}`;
    return one instanceof Uint8Array ? Buffer.from(one).toString('hex') : one;
  };
  return `${typeUrl} ${JSON.stringify(byUrl.get(typeUrl)?.codec.decode(value), readable)}`;
}

export class Model {
  readonly world: World;

  constructor(options: WorldOptions) {
    this.world = new World(options);
    this.world.settle();
  }

  /** Begins a block. @returns what it begins with, carried out already */
  begin(height: bigint): Due {
    const { world } = this;
    const due = dueAt(world, height);
    world.height = height;
    world.txHash = new Uint8Array();
    for (const item of due) {
      if (item.kind === 'lease') breakStale(world, { lease: item.number });
      else match(world, { order: item.id });
    }
    return due.map((item) => (item.kind === 'lease' ? `stale ${item.number}` : `match ${textOf(item)}`));
  }

  deliver({ signer, fee, messages, hash }: Transaction): Outcome {
    const { world } = this;
    world.txHash = hash;
    const decoded = messages.map(({ typeUrl, value }) => {
      const known = byUrl.get(typeUrl);
      if (known === undefined) throw new Error(`the model does not know ${typeUrl}`);
      // Whatever way an address was written, it is one account.
      const message = rewritten(known.codec.decode(value), (address) => address.toLowerCase());
      return { message, handler: known.handler };
    });
    // Nobody speaks for the market's account but the block itself.
    if (decoded.some(({ message }) => (message as { sender?: string }).sender === accounts.market)) {
      return { code: 4, codespace: 'sdk', responses: [] };
    }
    try {
      world.whole(() => world.move(signer, accounts.fee_collector, fee));
      const account = world.account(signer);
      world.change(account, { sequence: account.sequence + 1n });
      const responses = world.whole(() => decoded.map(({ message, handler }) => handler(world, message as never)));
      return { code: 0, codespace: '', responses };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { code: error.code, codespace: error.codespace, responses: [] };
    }
  }

  /** Ends a block: deposits return, graces end, escrows are settled, in the order of the modules. */
  end(): void {
    this.world.txHash = new Uint8Array();
    endUnbondings(this.world);
    endGraces(this.world);
    settleEscrows(this.world);
    this.world.settle();
  }
}

const textOf = ({ id }: ModelOrder): string => `${id.owner}/${id.dseq}/${id.infrastructure}/${id.round}`;

/** Stale leases by deadline and number, then due orders by height and id, cut at the bounds; the first is never cut. */
function dueAt(world: World, height: bigint): (ModelLease | ModelOrder)[] {
  const { maxInjectedItems, maxInjectedCost } = world.single('market');
  const stale = world.lists.lease
    .filter((one) => one.state === LeaseState.LEASE_STATE_ACTIVE && one.confirmBy < height)
    .sort((a, b) => Number(a.confirmBy - b.confirmBy) || Number(a.number - b.number));
  const open = world.lists.order
    .filter((one) => one.state === OrderState.ORDER_STATE_OPEN && one.due !== 0n && one.due <= height)
    .sort(byDueHeight);
  const costs = [...stale.map(() => 1), ...open.map((order) => 1 + bidsOf(world, order))];
  const all = [...stale, ...open];
  let cost = 0;
  const end = all.findIndex((_, at) => {
    cost += costs[at] as number;
    return at >= maxInjectedItems || (at > 0 && cost > maxInjectedCost);
  });
  return end < 0 ? all : all.slice(0, end);
}

const bidsOf = (world: World, order: ModelOrder): number =>
  world.lists.bid.filter((bid) => bid.order === order && bid.state === FulfillmentState.FULFILLMENT_STATE_OPEN).length;

function byDueHeight(a: ModelOrder, b: ModelOrder): number {
  const numbers = [a.due - b.due, 0n, a.id.dseq - b.id.dseq];
  if (numbers[0] !== 0n) return Number(numbers[0]);
  const owners = orderOfAddresses(a.id.owner, b.id.owner);
  if (owners !== 0) return owners;
  return Number(numbers[2]) || a.id.infrastructure - b.id.infrastructure || a.id.round - b.id.round;
}
