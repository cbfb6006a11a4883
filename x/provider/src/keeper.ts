/** The registry as other modules see it, and the writes that its messages lead to. */
import type { Context } from '@mu/framework/context';
import {
  type Attribute,
  type MetricPrice,
  type Node,
  type Params,
  type PriceList,
  type Provider,
  ProviderState,
} from '@mu/proto/provider';
import { errNotRegistered } from './errors.ts';
import { emitPriceList, emitProvider } from './events.ts';
import type { ProviderDeps } from './expected-keepers.ts';
import { moduleName } from './keys.ts';
import { nodeIdPattern } from './rules.ts';
import {
  attestations,
  canonical,
  leaving,
  nodes,
  ownerKey,
  paramsItem,
  priceLists,
  providers,
  putPriceList,
  putProvider,
} from './state.ts';

/** Deposits that one block pays out at most. */
export const maxUnbondingsPerBlock = 100;

export class ProviderKeeper {
  readonly deps: ProviderDeps;

  constructor(deps: ProviderDeps) {
    this.deps = deps;
  }

  params(ctx: Context): Params {
    return paramsItem.get(ctx);
  }

  getProvider(ctx: Context, owner: string): Provider | undefined {
    return providers.get(ctx, ownerKey(ctx, owner));
  }

  /** @throws AbciError provider is not registered (3) */
  requireProvider(ctx: Context, owner: string): Provider {
    const provider = this.getProvider(ctx, owner);
    if (provider === undefined) throw errNotRegistered.wrap(owner);
    return provider;
  }

  /** Whether the sender is the owner or an operator of an existing provider. */
  isActing(ctx: Context, owner: string, sender: string): boolean {
    const provider = this.getProvider(ctx, owner);
    if (provider === undefined) return false;
    const acting = canonical(ctx, sender);
    return acting === provider.owner || provider.operators.includes(acting);
  }

  priceList(ctx: Context, owner: string, version: bigint): PriceList | undefined {
    return priceLists.get(ctx, [ownerKey(ctx, owner), version]);
  }

  getNode(ctx: Context, owner: string, nodeId: string): Node | undefined {
    // An id that no node can have makes no key: a longer one than 255 bytes would be a fault, not an answer.
    if (!nodeIdPattern.test(nodeId)) return undefined;
    return nodes.get(ctx, [ownerKey(ctx, owner), nodeId]);
  }

  /**
   * Whether the provider states all the attributes; where auditors are named, whether one of them states all of them
   * (the provider's own word counts for nothing then).
   */
  satisfies(ctx: Context, owner: string, attributes: readonly Attribute[], auditedBy: readonly string[]): boolean {
    if (auditedBy.length === 0) return includesAll(this.getProvider(ctx, owner)?.attributes ?? [], attributes);
    const provider = ownerKey(ctx, owner);
    return auditedBy.some((auditor) => {
      const statement = attestations.get(ctx, [provider, ownerKey(ctx, auditor)]);
      return statement !== undefined && includesAll(statement.attributes, attributes);
    });
  }

  /** Begins the unbonding of the deposit. The caller has seen that no work is open. */
  leave(ctx: Context, provider: Provider): Provider {
    const unbondingHeight = ctx.height + this.params(ctx).unbondingBlocks;
    const next: Provider = { ...provider, state: ProviderState.PROVIDER_STATE_LEAVING, unbondingHeight };
    putProvider(ctx, next, provider);
    emitProvider(ctx, 'provider_leaving', next);
    return next;
  }

  /** Pays out deposits that are due: a bounded number per block, oldest first, each on a branch of its own. */
  endBlock(ctx: Context): void {
    const due: Uint8Array[] = [];
    for (const [height, owner] of leaving.iterate(ctx)) {
      if (height > ctx.height || due.length === maxUnbondingsPerBlock) break;
      due.push(owner);
    }
    for (const owner of due) {
      const failure = ctx.isolated((branch) => this.#release(branch, owner));
      // A deposit that cannot be paid is tried again later and does not hold up the others.
      if (failure !== undefined) ctx.isolated((branch) => this.#postpone(branch, owner));
    }
  }

  #release(ctx: Context, owner: Uint8Array): void {
    const provider = providers.get(ctx, owner) as Provider;
    const { deposit } = provider;
    const denom = deposit?.denom ?? ctx.chain.denom;
    const gone: Provider = { ...provider, deposit: { denom, amount: '0' }, state: ProviderState.PROVIDER_STATE_GONE };
    putProvider(ctx, gone, provider);
    if (deposit !== undefined && deposit.amount !== '0')
      this.deps.bank.sendFromModuleToAccount(ctx, moduleName, provider.owner, [deposit]);
    emitProvider(ctx, 'provider_gone', { ...gone, deposit });
  }

  #postpone(ctx: Context, owner: Uint8Array): void {
    const provider = providers.get(ctx, owner) as Provider;
    const unbondingHeight = ctx.height + this.params(ctx).unbondingBlocks;
    putProvider(ctx, { ...provider, unbondingHeight }, provider);
  }

  /** Adds a version of the price list and makes it the latest. @returns the provider with its new version */
  publish(ctx: Context, provider: Provider, prices: readonly MetricPrice[]): Provider {
    const version = provider.priceListVersion + 1n;
    const list: PriceList = { provider: provider.owner, version, prices: [...prices], height: ctx.height };
    putPriceList(ctx, list);
    const next = { ...provider, priceListVersion: version };
    putProvider(ctx, next, provider);
    emitPriceList(ctx, list);
    return next;
  }
}

function includesAll(stated: readonly Attribute[], asked: readonly Attribute[]): boolean {
  return asked.every(({ key, value }) => stated.some((one) => one.key === key && one.value === value));
}
