/** Brings the manifest to the providers that hold a lease and lack it, or leaves them to one another (delivery-plan.ts). */

import type { ChainClient } from '@mu/client/chain/chain-client';
import { answering, type DeploymentView, isLive } from '@mu/client/deployment/follow';
import type { BuiltManifest } from '@mu/client/manifest/build';
import { keysFor } from '@mu/client/manifest/bundle';
import { messageOf } from '@mu/lib/error-message';
import type { Lease } from '@mu/proto/market';
import {
  type DeliveryState,
  type Handed,
  type Holder,
  holdersOf,
  infrastructureOf,
  type Portion,
  portionFor,
  somebodyHasIt,
  stillNeeding,
} from './delivery-plan.ts';
import type { Session } from './session.ts';
import type { TenantSigner } from './tenant-wallet.ts';
import { counted } from './words.ts';

export interface DeliveryOptions {
  readonly owner: string;
  readonly dseq: bigint;
  readonly wallet: TenantSigner;
  readonly built: BuiltManifest;
  /** Everything goes to everybody who lacks it; else holders get from one another what they may. */
  readonly everybody?: boolean;
}

export class Delivery {
  readonly #session: Session;
  readonly #options: DeliveryOptions;
  /** by lease: what its provider has taken, though the chain may not say so yet */
  readonly #handed = new Map<bigint, Handed>();
  readonly #lackingSince = new Map<bigint, bigint>();
  /** what was said of providers that took nothing: it is said once */
  readonly #told = new Set<string>();

  constructor(session: Session, options: DeliveryOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Delivers to whoever lacks it and does not get it from others. @returns the providers that took something just now */
  async deliver(view: DeploymentView): Promise<string[]> {
    const taken: string[] = [];
    for (const holder of holdersOf(view)) {
      this.#noteLacking(view);
      const portion = portionFor(holder, view, this.#state());
      if (portion === undefined) this.#tellLeft(holder);
      else if (await this.#deliverTo(view, holder, portion)) taken.push(holder.provider);
    }
    return taken;
  }

  /** The providers that would be given something now. */
  lacking(view: DeploymentView): string[] {
    const state = this.#state();
    const lacking = holdersOf(view).filter((holder) => portionFor(holder, view, state) !== undefined);
    return lacking.map(({ provider }) => provider);
  }

  /** The providers that were given something, in the order of their leases. */
  deliveredTo(view: DeploymentView): string[] {
    return [...new Set(view.leases.flatMap(({ number, provider }) => (this.#handed.has(number) ? [provider] : [])))];
  }

  /** Names of infrastructures that still need the user; none: he may leave. */
  needing(view: DeploymentView): readonly string[] {
    return stillNeeding(view, this.#state());
  }

  /** Where each infrastructure answers; one that has no public address is left out. */
  endpoints(view: DeploymentView): { infrastructure: string; provider: string; lease: bigint; endpoint: string }[] {
    return answering(view).flatMap((lease) =>
      lease.endpoints.map((endpoint) => ({
        infrastructure: infrastructureOf(view, lease),
        provider: lease.provider,
        lease: lease.number,
        endpoint,
      })),
    );
  }

  #state(): DeliveryState {
    const { built, everybody = false } = this.#options;
    return { head: built.head, handed: this.#handed, lackingSince: this.#lackingSince, everybody };
  }

  #noteLacking(view: DeploymentView): void {
    if (!somebodyHasIt(view, this.#state())) return;
    for (const { number } of view.leases.filter(isLive))
      if (!this.#lackingSince.has(number)) this.#lackingSince.set(number, view.height);
  }

  #tellLeft({ provider, leases }: Holder): void {
    const lacks = leases.some(
      ({ number, manifestRevision }) =>
        manifestRevision < BigInt(this.#options.built.head.revision) && !this.#handed.has(number),
    );
    if (lacks) this.#tellOnce(`${provider} gets the manifest from the other holders`);
  }

  #tellOnce(text: string): void {
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#session.output.step(text);
  }

  /** The leases that a provider holds for certain: the view is a list, and secrets go out on each of them. */
  async #held(client: ChainClient, { provider, leases }: Holder): Promise<Lease[]> {
    const records = await Promise.all(leases.map(({ number }) => client.market.lease({ number })));
    const { owner, dseq } = this.#options;
    return records.flatMap(({ lease }) =>
      lease?.provider === provider && isLive(lease) && lease.order?.owner === owner && lease.order.dseq === dseq
        ? lease
        : [],
    );
  }

  async #deliverTo(view: DeploymentView, holder: Holder, portion: Portion): Promise<boolean> {
    const { output } = this.#session;
    const client = await this.#session.verified();
    const { deliverManifest } = await import('./provider-connection.ts');
    try {
      // At the same time: each record waits for the block that proves it.
      const [{ provider }, held] = await Promise.all([
        client.provider.provider({ owner: holder.provider }),
        this.#held(client, holder),
      ]);
      if (provider === undefined || held.length === 0) return false;
      const infrastructures = held.map((lease) => infrastructureOf(view, lease));
      const files = portion === 'all' ? 'all' : 'none';
      await deliverManifest(this.#session, { provider, infrastructures, files, ...this.#options });
      for (const { number } of held) this.#handed.set(number, { portion, height: view.height });
      output.step(this.#taken(holder.provider, infrastructures, portion));
      return true;
    } catch (error) {
      // A provider that is just starting, or away: the next look tries again.
      const reason = messageOf(error);
      this.#tellOnce(`${holder.provider} did not take the manifest: ${reason}`);
      return false;
    }
  }

  #taken(provider: string, infrastructures: readonly string[], portion: Portion): string {
    const { built } = this.#options;
    const keys = `the keys of ${[...keysFor(built, infrastructures).keys()].join(', ')}`;
    const { length } = built.head.files;
    const what =
      portion === 'all'
        ? `has the manifest and has checked it against the chain: head, ${counted(length, 'file')}, ${keys}`
        : `has the head of the manifest and ${keys}; it gets ${counted(length, 'file')} from the other holders`;
    return `${provider} ${what}`;
  }
}
