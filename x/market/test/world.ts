/** The market with everything around it played: a bank in a store, providers, deployments and escrows by hand. */
import { expect } from '@jest/globals';
import { type Context, freshContext } from '@mu/framework/context';
import { errInsufficientFunds, type Failure } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { moduleAddress } from '@mu/lib/address';
import type { Coin } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { Deployment, type DeploymentId, DeploymentInfrastructure, DeploymentState } from '@mu/proto/deployment';
import {
  type CloseReason,
  type Fulfillment,
  type GenesisState,
  type Lease,
  ManifestState,
  type MsgDefinition,
  MsgSubmitFulfillment,
  type Order,
  type OrderId,
  type Params,
} from '@mu/proto/market';
import { PriceList, Provider, ProviderState } from '@mu/proto/provider';
import type { BillingKeeper, MarketDeps } from '../src/expected-keepers.ts';
import { defaultGenesis, initGenesis } from '../src/genesis.ts';
import { marketInvariants } from '../src/invariants.ts';
import { MarketKeeper } from '../src/keeper.ts';
import { createMsgServer } from '../src/msg-server.ts';
import { fulfillments, leases, orderKeyOf, orders } from '../src/state.ts';

export const chain = { chainId: 'mu-test', bech32Prefix: 'mu', denom: 'umu' } as const;
export const address = (n: number): string => toBech32('mu', new Uint8Array(20).fill(n));
export const user = address(1);
export const authority = address(99);
export const providerA = address(10);
export const providerB = address(11);
export const operatorA = address(20);
export const payoutA = address(30);
export const stranger = address(77);
export const marketAccount = toBech32('mu', moduleAddress('market'));
export const initialFunds = 1_000_000n;

export const umu = (text: string): string => Dec.fromString(text).atomicsString();

const balanceKey = (account: string): Uint8Array => utf8(`balance/${account}`);
const escrowKey = (id: { owner: string; dseq: bigint }): Uint8Array => utf8(`escrow/${id.owner}/${id.dseq}`);
const supplyKey = utf8('supply');

function readAmount(ctx: Context, key: Uint8Array): bigint {
  const bytes = ctx.store('bank').get(key);
  return bytes === undefined ? 0n : BigInt(fromUtf8(bytes));
}

/** A bank of one denomination; `refuses` may not receive. */
export class FakeBank {
  readonly refuses = new Set<string>();

  balance(ctx: Context, account: string): bigint {
    return readAmount(ctx, balanceKey(account));
  }

  supply(ctx: Context): bigint {
    return readAmount(ctx, supplyKey);
  }

  add(ctx: Context, account: string, amount: bigint): void {
    const next = this.balance(ctx, account) + amount;
    if (next < 0n) throw errInsufficientFunds.wrap(`${account} lacks ${-next}`);
    ctx.store('bank').set(balanceKey(account), utf8(`${next}`));
  }

  mint(ctx: Context, account: string, amount: bigint): void {
    this.add(ctx, account, amount);
    ctx.store('bank').set(supplyKey, utf8(`${this.supply(ctx) + amount}`));
  }

  sendFromAccountToModule(ctx: Context, from: string, module: string, coins: Coin[]): void {
    this.#move(ctx, from, toBech32('mu', moduleAddress(module)), coins);
  }

  sendFromModuleToAccount(ctx: Context, module: string, to: string, coins: Coin[]): void {
    if (this.refuses.has(to)) throw errInsufficientFunds.wrap(`${to} may not receive`);
    this.#move(ctx, toBech32('mu', moduleAddress(module)), to, coins);
  }

  burnCoins(ctx: Context, module: string, coins: Coin[]): void {
    for (const { amount } of coins) {
      this.add(ctx, toBech32('mu', moduleAddress(module)), -BigInt(amount));
      ctx.store('bank').set(supplyKey, utf8(`${this.supply(ctx) - BigInt(amount)}`));
    }
  }

  #move(ctx: Context, from: string, to: string, coins: Coin[]): void {
    for (const { amount, denom } of coins) {
      if (denom !== 'umu' || BigInt(amount) <= 0n) throw errInsufficientFunds.wrap(`${amount}${denom}`);
      this.add(ctx, from, -BigInt(amount));
      this.add(ctx, to, BigInt(amount));
    }
  }
}

/** Escrows without shares, usage or commission. */
export class FakeBilling implements BillingKeeper {
  readonly bank: FakeBank;
  /** set: payBlocks fails */
  fault: Error | undefined;

  constructor(bank: FakeBank) {
    this.bank = bank;
  }

  escrow(ctx: Context, id: { owner: string; dseq: bigint }): bigint {
    return readAmount(ctx, escrowKey(id));
  }

  deposit(ctx: Context, id: { owner: string; dseq: bigint }, amount: bigint): void {
    this.bank.sendFromAccountToModule(ctx, id.owner, 'billing', [{ denom: 'umu', amount: `${amount}` }]);
    ctx.store('bank').set(escrowKey(id), utf8(`${this.escrow(ctx, id) + amount}`));
  }

  /** Spends from an escrow what goes nowhere that a test looks. */
  spend(ctx: Context, id: { owner: string; dseq: bigint }, amount: bigint): void {
    ctx.store('bank').set(escrowKey(id), utf8(`${this.escrow(ctx, id) - amount}`));
  }

  mintInterest(ctx: Context, account: string, amount: bigint): void {
    if (this.bank.refuses.has(account)) throw errInsufficientFunds.wrap(`${account} may not receive`);
    this.bank.mint(ctx, account, amount);
  }

  payBlocks(ctx: Context, lease: Lease, toHeight: bigint) {
    if (this.fault !== undefined) throw this.fault;
    const id = lease.order as OrderId;
    const price = Dec.fromAtomics(lease.pricePerBlock);
    const cost = price.mulInt(toHeight - lease.paidThrough).add(Dec.fromAtomics(lease.remainder));
    const due = cost.truncateInt();
    const held = this.escrow(ctx, id);
    const paid = due < held ? due : held;
    if (paid > 0n) {
      ctx.store('bank').set(escrowKey(id), utf8(`${held - paid}`));
      this.bank.sendFromModuleToAccount(ctx, 'billing', lease.provider, [{ denom: 'umu', amount: `${paid}` }]);
    }
    const funded = paid === due;
    const remainder = funded ? cost.sub(Dec.fromInt(due)) : Dec.zero;
    const after = {
      ...lease,
      remainder: remainder.atomicsString(),
      paid: `${BigInt(lease.paid) + paid}`,
      paidThrough: toHeight,
    };
    return { lease: after, paid, commission: 0n, funded };
  }
}

export function provider(owner: string, changes: Partial<Provider> = {}): Provider {
  return Provider.fromPartial({
    owner,
    regions: ['eu', 'us'],
    services: ['mu-function', 'mu-gateway'],
    attributes: [{ key: 'tier', value: 'gold' }],
    priceListVersion: 1n,
    state: ProviderState.PROVIDER_STATE_ACTIVE,
    ...changes,
  });
}

export function infrastructure(changes: Partial<DeploymentInfrastructure> = {}): DeploymentInfrastructure {
  return DeploymentInfrastructure.fromPartial({
    name: 'main',
    region: 'eu',
    services: ['mu-function'],
    resources: [{ compute: { cpu: 100, memory: 128n, disk: 256n }, price: umu('10'), collateral: '100', count: 2 }],
    ...changes,
  });
}

/** The whole around the market; `ctx` stands at the height that `to` last said. */
export class World {
  readonly bank = new FakeBank();
  readonly billing = new FakeBilling(this.bank);
  readonly providers = new Map<string, Provider>();
  readonly lists = new Map<string, PriceList>();
  readonly deployments = new Map<string, Deployment>();
  readonly over: string[] = [];
  readonly held: string[] = [];
  /** set: the hook fails */
  hookFault: Error | undefined;
  readonly deps: MarketDeps;
  readonly keeper: MarketKeeper;
  readonly msgs: Handlers<(typeof MsgDefinition)['methods']>;
  ctx: Context;

  constructor() {
    this.deps = {
      bank: this.bank,
      billing: this.billing,
      provider: {
        getProvider: (_ctx, owner) => this.providers.get(owner),
        isActing: (_ctx, owner, sender) => {
          const found = this.providers.get(owner);
          return found !== undefined && (found.owner === sender || found.operators.includes(sender));
        },
        priceList: (_ctx, owner, version) => this.lists.get(`${owner}/${version}`),
        satisfies: (_ctx, owner, wanted) =>
          wanted.every((one) =>
            this.providers.get(owner)?.attributes.some((has) => has.key === one.key && has.value === one.value),
          ),
      },
      deployment: { getDeployment: (_ctx, id) => this.deployments.get(`${id.owner}/${id.dseq}`) },
      hooks: {
        afterAllOver: (_ctx, id) => {
          if (this.hookFault !== undefined) throw this.hookFault;
          this.over.push(`${id.owner}/${id.dseq}`);
        },
        afterManifestHeld: (_ctx, id, by, revision) => {
          this.held.push(`${id.owner}/${id.dseq} ${by} ${revision}`);
        },
      },
    };
    this.keeper = new MarketKeeper(this.deps);
    this.msgs = createMsgServer(this.keeper, this.deps);
    this.providers.set(providerA, provider(providerA, { operators: [operatorA], payoutAddress: payoutA }));
    this.providers.set(providerB, provider(providerB));
    const stores = new BranchMultiStore(new MemoryCommitStore(['market', 'bank']));
    this.ctx = freshContext({
      chain,
      block: { height: 1n, timeNs: 0n, proposer: new Uint8Array() },
      mode: 'finalize',
      stores,
    });
  }

  /** A world whose market has begun, with funds for everybody. */
  static begun(params: Partial<Params> = {}): World {
    const world = new World();
    world.begin(world.ctx, params);
    return world;
  }

  begin(ctx: Context, params: Partial<Params> = {}): void {
    const genesis = defaultGenesis();
    initGenesis(ctx, { ...genesis, authority, params: { ...genesis.params, ...params } } as GenesisState);
    this.fund(ctx);
  }

  fund(ctx: Context): void {
    for (const account of [user, providerA, providerB, operatorA, stranger]) this.bank.mint(ctx, account, initialFunds);
  }

  /** Goes on to a height, with fresh gas and events. */
  to(height: bigint): Context {
    this.ctx = freshContext({ chain, block: { ...this.ctx.block, height }, mode: 'finalize', stores: this.ctx.stores });
    return this.ctx;
  }

  list(owner: string, version: bigint, prices: { metric: string; price: string; per: bigint }[]): void {
    this.lists.set(`${owner}/${version}`, PriceList.fromPartial({ provider: owner, version, prices }));
  }

  /** Submits a deployment as x/deployment would, with an escrow. */
  deploy(
    dseq: bigint,
    specs: DeploymentInfrastructure[] = [infrastructure()],
    escrow = 100_000n,
    waitBlocks = 0n,
  ): OrderId[] {
    const id: DeploymentId = { owner: user, dseq };
    const state = DeploymentState.DEPLOYMENT_STATE_ACTIVE;
    const deployment = Deployment.fromPartial({ id, infrastructure: specs, waitBlocks, state });
    this.deployments.set(`${user}/${dseq}`, deployment);
    if (escrow > 0n) this.billing.deposit(this.ctx, id, escrow);
    return specs.map((_, infrastructure) => {
      this.keeper.updateOrder(this.ctx, deployment, infrastructure, undefined);
      return { ...id, infrastructure, round: 1 };
    });
  }

  bidMessage(
    order: OrderId,
    owner: string,
    price: string,
    changes: Partial<MsgSubmitFulfillment> = {},
  ): MsgSubmitFulfillment {
    const spec = this.order(order).spec as DeploymentInfrastructure;
    const resources = spec.resources.map((group) => ({ ...group, price: umu(price) }));
    return MsgSubmitFulfillment.fromPartial({ sender: owner, provider: owner, order, resources, ...changes });
  }

  bid(order: OrderId, owner: string, price: string, changes: Partial<MsgSubmitFulfillment> = {}): bigint {
    return this.msgs.submitFulfillment(this.ctx, this.bidMessage(order, owner, price, changes)).number;
  }

  /** A lease of provider A, made at the height where the order is due. */
  lease(order: OrderId, owner = providerA, price = '10'): Lease {
    this.bid(order, owner, price);
    this.to(this.order(order).dueHeight);
    return this.keeper.match(this.ctx, order);
  }

  confirm(
    lease: bigint,
    sender = providerA,
    changes: { manifestState?: ManifestState; endpoints?: string[]; manifestRevision?: bigint } = {},
  ) {
    const confirmation = {
      lease,
      endpoints: ['http://a.example:80'],
      manifestState: ManifestState.MANIFEST_STATE_WAITING,
      manifestRevision: 0n,
      ...changes,
    };
    return this.msgs.submitLeaseConfirmation(this.ctx, { sender, confirmation });
  }

  order(id: OrderId): Order {
    return orders.get(this.ctx, orderKeyOf(this.ctx, id)) as Order;
  }

  leaseAt(number: bigint): Lease {
    return leases.get(this.ctx, number) as Lease;
  }

  bidAt(number: bigint): Fulfillment {
    return fulfillments.get(this.ctx, number) as Fulfillment;
  }

  balance(account: string): bigint {
    return this.bank.balance(this.ctx, account);
  }

  events(): string[] {
    return this.ctx.events.events.map(({ type }) => type);
  }

  /** Attributes of the last event of a type. */
  event(type: string): Record<string, string> {
    const found = this.ctx.events.events.filter((event) => event.type === type).at(-1);
    if (found === undefined) throw new Error(`no event ${type}`);
    return Object.fromEntries(found.attributes);
  }

  /** Runs a message as a transaction would: all of it or nothing. */
  attempt(step: (ctx: Context) => void): Failure | undefined {
    return this.ctx.isolated(step);
  }

  /** Expects a refusal with a code and an untouched state. */
  refused(codespace: string, code: number, step: (ctx: Context) => void): void {
    const before = dump(this.ctx);
    expect(this.attempt(step)).toMatchObject({ codespace, code });
    expect(dump(this.ctx)).toEqual(before);
  }

  /** All invariants hold, and no coin came or went but by burning. */
  check(): void {
    for (const invariant of marketInvariants(this.deps)) {
      expect([invariant.name, invariant.check(this.ctx)]).toEqual([invariant.name, undefined]);
    }
  }
}

/** The stores' contents as text. */
export function dump(ctx: Context): string[] {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return ['market', 'bank'].flatMap((name) =>
    [...ctx.stores.store(name).iterate()].map(([key, value]) => `${name} ${hex(key)} ${hex(value)}`),
  );
}

/** A world with a lease. */
export interface Leased {
  readonly world: World;
  readonly order: OrderId;
  readonly lease: Lease;
}

/** Provider A has a lease of 20 umu per block and 200 umu of collateral since block 4. */
export function leased(
  spec: Partial<DeploymentInfrastructure> = {},
  params: Partial<Params> = {},
  escrow = 100_000n,
): Leased {
  const world = World.begun(params);
  const [order] = world.deploy(1n, [infrastructure(spec)], escrow) as [OrderId];
  const lease = world.lease(order);
  return { world, order, lease };
}

/** Ends a lease by a message. */
export const close = (world: World, lease: bigint, reason: CloseReason, sender = user) =>
  world.msgs.closeLease(world.ctx, { sender, lease, reason });
