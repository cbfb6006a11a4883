/** Brings the manifest to the providers that hold a lease and lack it. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { answering, type DeploymentView, isLive, lackingManifest } from '@mu/client/deployment/follow';
import type { BuiltManifest } from '@mu/client/manifest/build';
import type { Lease } from '@mu/proto/market';
import type { Session } from './session.ts';
import type { TenantSigner } from './tenant-wallet.ts';

export interface DeliveryOptions {
  readonly owner: string;
  readonly dseq: bigint;
  readonly wallet: TenantSigner;
  readonly built: BuiltManifest;
}

export class Delivery {
  readonly #session: Session;
  readonly #options: DeliveryOptions;
  /** leases whose provider has taken the manifest, though the chain may not say so yet */
  readonly #delivered = new Set<bigint>();

  constructor(session: Session, options: DeliveryOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Delivers to whoever lacks it. @returns the providers that took it just now */
  async deliver(view: DeploymentView): Promise<string[]> {
    const taken: string[] = [];
    const revision = BigInt(this.#options.built.head.revision);
    for (const lease of lackingManifest(view, revision)) {
      if (this.#delivered.has(lease.number)) continue;
      if (await this.#deliverTo(view, lease)) taken.push(lease.provider);
    }
    return taken;
  }

  /** Whether every infrastructure answers. */
  answers(view: DeploymentView): boolean {
    const infrastructures = new Set(view.orders.map(({ id }) => id?.infrastructure));
    return (
      infrastructures.size > 0 &&
      infrastructures.size === new Set(answering(view).map(({ order }) => order?.infrastructure)).size
    );
  }

  /** Where each infrastructure answers. */
  endpoints(view: DeploymentView): { infrastructure: string; provider: string; lease: bigint; endpoint: string }[] {
    return answering(view)
      .filter(isLive)
      .flatMap((lease) =>
        lease.endpoints.map((endpoint) => ({
          infrastructure: this.#nameOf(view, lease),
          provider: lease.provider,
          lease: lease.number,
          endpoint,
        })),
      );
  }

  #nameOf(view: DeploymentView, lease: Lease): string {
    return view.orders.find(({ id }) => id?.infrastructure === lease.order?.infrastructure)?.spec?.name ?? '';
  }

  /** The leases that a provider holds for certain: the view is a list, and secrets go out on each of them. */
  async #held(client: ChainClient, view: DeploymentView, provider: string): Promise<Lease[]> {
    const listed = view.leases.filter((other) => other.provider === provider && isLive(other));
    const records = await Promise.all(listed.map(({ number }) => client.market.lease({ number })));
    const { owner, dseq } = this.#options;
    return records.flatMap(({ lease }) =>
      lease?.provider === provider && isLive(lease) && lease.order?.owner === owner && lease.order.dseq === dseq
        ? lease
        : [],
    );
  }

  async #deliverTo(view: DeploymentView, lease: Lease): Promise<boolean> {
    const { output } = this.#session;
    const client = await this.#session.verified();
    const { deliverManifest } = await import('./provider-connection.ts');
    try {
      // At the same time: each record waits for the block that proves it.
      const [{ provider }, held] = await Promise.all([
        client.provider.provider({ owner: lease.provider }),
        this.#held(client, view, lease.provider),
      ]);
      if (provider === undefined || held.length === 0) return false;
      const infrastructures = held.map((other) => this.#nameOf(view, other));
      await deliverManifest(this.#session, { provider, infrastructures, ...this.#options });
      this.#delivered.add(lease.number);
      output.step(`${lease.provider} has the manifest and has checked it against the chain`);
      return true;
    } catch (error) {
      // A provider that is just starting, or away: the next look tries again.
      output.step(
        `${lease.provider} did not take the manifest: ${error instanceof Error ? error.message : String(error)}`,
      );
      return false;
    }
  }
}
