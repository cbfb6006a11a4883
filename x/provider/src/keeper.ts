/** The registry as other modules see it, and the writes that its messages lead to. */
import type { Context } from '@mu/framework/context';
import type { Attribute, MetricPrice, Node, Params, PriceList, Provider } from '@mu/proto/provider';
import { errNotRegistered } from './errors.ts';
import { emitPriceList } from './events.ts';
import type { ProviderDeps } from './expected-keepers.ts';
import { nodes, ownerKey, paramsItem, priceLists, providers, putPriceList, putProvider } from './state.ts';

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
    return provider !== undefined && (sender === owner || provider.operators.includes(sender));
  }

  priceList(ctx: Context, owner: string, version: bigint): PriceList | undefined {
    return priceLists.get(ctx, [ownerKey(ctx, owner), version]);
  }

  getNode(ctx: Context, owner: string, nodeId: string): Node | undefined {
    return nodes.get(ctx, [ownerKey(ctx, owner), nodeId]);
  }

  /**
   * Whether the provider states all the attributes. Auditors' statements are not taken yet, so an order that asks for
   * audited attributes is satisfied by nobody.
   */
  satisfies(ctx: Context, owner: string, attributes: readonly Attribute[], auditedBy: readonly string[]): boolean {
    if (auditedBy.length > 0) return false;
    const stated = this.getProvider(ctx, owner)?.attributes ?? [];
    return attributes.every(({ key, value }) => stated.some((own) => own.key === key && own.value === value));
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
