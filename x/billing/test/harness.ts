/** A market, a registry and a bank that hold just enough for x/billing, in stores that branch and roll back like real ones. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Context, type ExecMode, freshContext } from '@mu/framework/context';
import { AbciError, errInsufficientFunds, errUnauthorized } from '@mu/framework/errors';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import type { MultiStore } from '@mu/framework/store/kv-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { moduleAddress } from '@mu/lib/address';
import type { Coin } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import { emptyBillHash } from '@mu/lib/bill-hash';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { usageSignBytes } from '@mu/lib/sign-bytes';
import { type MsgUpdateUsage, type Params, UsageReport } from '@mu/proto/billing';
import type { DeploymentId, UsageLimit } from '@mu/proto/deployment';
import { Lease, LeaseState } from '@mu/proto/market';
import { type Metric, type MetricPrice, Node, PriceList, Provider, Params as ProviderParams } from '@mu/proto/provider';
import type { BillingDeps } from '../src/expected-keepers.ts';
import { BillingKeeper } from '../src/keeper.ts';
import { createBillingModule } from '../src/module.ts';
import { createMsgServer } from '../src/msg-server.ts';
import * as state from '../src/state.ts';

export const chain = { chainId: 'mu-test-1', bech32Prefix: 'mu', denom: 'umu' };
export const address = (seed: number): string => toBech32('mu', new Uint8Array(20).fill(seed));
export const owner = address(1);
export const friend = address(2);
export const stranger = address(3);
export const providerOwner = address(10);
export const operator = address(11);
export const payout = address(12);
export const treasury = address(13);
export const authority = address(14);
export const id: DeploymentId = { owner, dseq: 7n };
export const dec = (text: string): string => Dec.fromString(text).atomicsString();
/** 1 umu in atomics. */
export const umu = 10n ** 18n;

const metric = (name: string, maxPerBlock: bigint): Metric => ({
  name,
  service: 'mu-function',
  maxPerBlock,
  unit: name,
});

/** An Ed25519 key with its raw public half. */
export function nodeKey(): { readonly key: KeyObject; readonly publicKey: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { key: privateKey, publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url') };
}

export const keyA = nodeKey();
export const keyB = nodeKey();

/** The world around x/billing; a test may change what it answers. */
export class World implements BillingDeps {
  readonly store = new MemoryCommitStore(['billing', 'bank', 'market', 'deployment']);
  ctx: Context;
  readonly #stores: MultiStore;
  readonly keeper = new BillingKeeper(this);
  readonly module = createBillingModule({ keeper: this.keeper });
  readonly msgs = createMsgServer(this.keeper);
  readonly blocked = new Set<string>();
  metrics: Metric[] = [metric('invocations', 1000n), metric('bytes', 0n), metric('reads', 10n)];
  prices: MetricPrice[] = [
    { metric: 'bytes', price: dec('1'), per: 1000n },
    { metric: 'invocations', price: dec('0.5'), per: 1n },
  ];
  provider_: Provider = Provider.fromPartial({ owner: providerOwner, operators: [operator], payoutAddress: payout });
  nodes: Node[] = [
    Node.fromPartial({ nodeId: 'a', publicKey: keyA.publicKey, validFromHeight: 1n, validToHeight: 10_000n }),
    Node.fromPartial({ nodeId: 'b', publicKey: keyB.publicKey, validFromHeight: 1n, validToHeight: 10_000n }),
  ];
  readonly resumed: DeploymentId[] = [];

  constructor(params: Partial<Params> = {}, height = 10n) {
    this.#stores = new BranchMultiStore(this.store);
    this.ctx = this.at(height);
    this.module.genesis.init(this.ctx, this.module.genesis.defaults());
    this.setParams(params);
    state.authority.set(this.ctx, authority);
  }

  setParams(params: Partial<Params>): void {
    state.params.set(this.ctx, { ...state.params.get(this.ctx), ...params });
  }

  /** The same state at another height, with fresh gas and events. */
  at(height: bigint, mode: ExecMode = 'finalize'): Context {
    const block = { height, timeNs: 0n, proposer: new Uint8Array(20) };
    this.ctx = freshContext({ chain, block, mode, stores: this.#stores });
    return this.ctx;
  }

  readonly bank = {
    sendFromAccountToModule: (ctx: Context, from: string, module: string, coins: Coin[]): void =>
      this.#move(ctx, from, this.accounts.moduleAddress(ctx, module), coins),
    sendFromModuleToAccount: (ctx: Context, module: string, to: string, coins: Coin[]): void => {
      if (this.blocked.has(to)) throw errUnauthorized.wrap(`${to} is not allowed to receive funds`);
      this.#move(ctx, this.accounts.moduleAddress(ctx, module), to, coins);
    },
    mintCoins: (ctx: Context, module: string, coins: readonly Coin[]): void => {
      const to = this.accounts.moduleAddress(ctx, module);
      for (const { denom, amount } of coins) this.fund(to, this.bank.balance(ctx, to, denom) + BigInt(amount), ctx);
    },
    isBlocked: (address: Uint8Array): boolean => this.blocked.has(toBech32(chain.bech32Prefix, address)),
    balance: (ctx: Context, of: string, denom: string): bigint =>
      BigInt(fromUtf8(ctx.stores.store('bank').get(utf8(`${of}/${denom}`)) ?? utf8('0'))),
  };

  #move(ctx: Context, from: string, to: string, coins: readonly Coin[]): void {
    for (const { denom, amount } of coins) {
      const had = this.bank.balance(ctx, from, denom);
      if (had < BigInt(amount)) throw errInsufficientFunds.wrap(`${had}${denom}`);
      this.fund(from, had - BigInt(amount), ctx);
      this.fund(to, this.bank.balance(ctx, to, denom) + BigInt(amount), ctx);
    }
  }

  fund(of: string, amount: bigint, ctx: Context = this.ctx): void {
    ctx.stores.store('bank').set(utf8(`${of}/umu`), utf8(amount.toString()));
  }

  balance(of: string): bigint {
    return this.bank.balance(this.ctx, of, 'umu');
  }

  /** Coins of all accounts together. */
  supply(): bigint {
    let sum = 0n;
    for (const [, value] of this.ctx.stores.store('bank').iterate()) sum += BigInt(fromUtf8(value));
    return sum;
  }

  readonly accounts = {
    moduleAddress: (_ctx: Context, name: string): string => toBech32('mu', moduleAddress(name)),
  };

  readonly provider = {
    getProvider: (_ctx: Context, of: string): Provider | undefined =>
      of === providerOwner ? this.provider_ : undefined,
    isActing: (_ctx: Context, of: string, sender: string): boolean =>
      of === providerOwner && [providerOwner, operator].includes(sender),
    priceList: (_ctx: Context, of: string, version: bigint): PriceList | undefined =>
      of === providerOwner && version === 1n ? PriceList.fromPartial({ version, prices: this.prices }) : undefined,
    getNode: (_ctx: Context, _of: string, nodeId: string): Node | undefined =>
      this.nodes.find((node) => node.nodeId === nodeId),
    params: (): ProviderParams => ProviderParams.fromPartial({ metrics: this.metrics }),
  };

  readonly market = {
    getLease: (ctx: Context, number: bigint): Lease | undefined => {
      const bytes = ctx.stores.store('market').get(utf8(`${number}`));
      return bytes === undefined ? undefined : Lease.decode(bytes);
    },
    saveLease: (ctx: Context, lease: Lease): void =>
      ctx.stores.store('market').set(utf8(`${lease.number}`), Lease.encode(lease).finish()),
    leasesOfDeployment: (ctx: Context): Lease[] =>
      Array.from(ctx.stores.store('market').iterate(), ([, bytes]) => Lease.decode(bytes)),
    leaseNumbersOfDeployment: (ctx: Context): bigint[] =>
      Array.from(ctx.stores.store('market').iterate(), ([, bytes]) => Lease.decode(bytes).number),
    blocksPerYear: (): bigint => 31_557_600n,
    resumeLeases: (_ctx: Context, of: DeploymentId): void => {
      this.resumed.push(of);
    },
  };

  readonly deployment = {
    markClosed: (ctx: Context, of: DeploymentId): void =>
      ctx.stores.store('deployment').set(utf8(`${of.owner}/${of.dseq}`), utf8('closed')),
  };

  isMarkedClosed(of: DeploymentId = id): boolean {
    return this.ctx.stores.store('deployment').has(utf8(`${of.owner}/${of.dseq}`));
  }

  /** Opens the escrow of `id` with the owner's deposit. */
  open(amount: bigint, reserve = 0n): void {
    this.fund(owner, this.balance(owner) + amount);
    this.keeper.openEscrow(this.ctx, id, owner, amount, reserve);
  }

  deposit(from: string, amount: bigint): bigint {
    this.fund(from, this.balance(from) + amount);
    const message = { depositor: from, ...id, amount: { denom: 'umu', amount: amount.toString() } };
    return BigInt(this.msgs.deposit(this.ctx, message).shares);
  }

  withdraw(to: string, amount: bigint): bigint {
    const message = { depositor: to, ...id, amount: { denom: 'umu', amount: amount.toString() } };
    return BigInt(this.msgs.withdraw(this.ctx, message).shares);
  }

  /** Makes a lease of `id`, as of the current height. */
  lease(parts: Partial<Lease> = {}): Lease {
    const lease = Lease.fromPartial({
      number: 1n,
      order: { ...id, infrastructure: 0, round: 1 },
      provider: providerOwner,
      pricePerBlock: dec('0.3'),
      priceListVersion: 1n,
      usageLimits: limits,
      state: LeaseState.LEASE_STATE_ACTIVE,
      createdHeight: this.ctx.height,
      paidThrough: this.ctx.height,
      remainder: '0',
      paid: '0',
      commission: '0',
      billHash: Buffer.from(emptyBillHash()),
      ...parts,
    });
    this.market.saveLease(this.ctx, lease);
    return lease;
  }

  /** As x/market does it: pays and saves. */
  payBlocks(toHeight: bigint, number = 1n): { paid: bigint; commission: bigint; funded: boolean } {
    const done = this.keeper.payBlocks(this.ctx, this.getLease(number), toHeight);
    this.market.saveLease(this.ctx, done.lease);
    return done;
  }

  getLease(number = 1n): Lease {
    const lease = this.market.getLease(this.ctx, number);
    if (lease === undefined) throw new Error(`no lease ${number}`);
    return lease;
  }

  /** Names of the invariants that do not hold, with what is broken. */
  broken(): string[] {
    return this.module.invariants.flatMap(({ name, check }) => {
      const found = check(this.ctx);
      return found === undefined ? [] : [`${name}: ${found}`];
    });
  }

  report(parts: Partial<UsageReport>, key: KeyObject = keyA.key, sender = operator): MsgUpdateUsage {
    return signed(usageReport(parts), key, sender);
  }

  /** On a branch that is dropped when it is refused, as a transaction's. @returns umu paid to the provider */
  usage(message: MsgUpdateUsage): bigint {
    const { ctx, write } = this.ctx.branch();
    const { paid } = this.msgs.updateUsage(ctx, message);
    write();
    return BigInt(paid);
  }
}

export const limits: UsageLimit[] = [
  { metric: 'bytes', maxPrice: dec('2'), maxPricePer: 1000n, maxQuantityPerBlock: 5000n },
  { metric: 'invocations', maxPrice: dec('0.5'), maxPricePer: 1n, maxQuantityPerBlock: 100n },
];

export function usageReport(parts: Partial<UsageReport>): UsageReport {
  return UsageReport.fromPartial({
    lease: 1n,
    nodeId: 'a',
    sequence: 1n,
    fromHeight: 11n,
    toHeight: 20n,
    items: [{ service: 'api', metric: 'invocations', quantity: 3n }],
    logRoot: Buffer.alloc(32, 5),
    ...parts,
  });
}

export function signed(
  report: UsageReport,
  key: KeyObject,
  sender = operator,
  chainId = chain.chainId,
): MsgUpdateUsage {
  const digest = usageSignBytes(chainId, UsageReport.encode(report).finish());
  return { sender, report, signature: sign(null, digest, key) };
}

/** The `codespace/code` that a call is refused with. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AbciError) return `${error.codespace}/${error.code}`;
    throw error;
  }
  return 'accepted';
}
