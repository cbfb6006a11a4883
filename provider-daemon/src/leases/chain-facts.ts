/**
 * What the provider's own listener asks of the chain: deployments and leases, as they stand now. What it decides on is read
 * record by record, since only these are proved; a list only says which to read.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { tenantScopes } from '@mu/client/tenant/delegation';
import { type Lease, LeaseState } from '@mu/proto/market';
import type { AccessKeyFact, LeaseFact, LeaseFacts } from '../api/sources.ts';
import type { DeploymentFacts } from '../manifests/verify-delivery.ts';
import { orderKey } from '../watch/order-key.ts';
import { isLive } from './lease-machine.ts';
import { OrderNames } from './order-names.ts';

export class ChainFacts implements LeaseFacts {
  readonly #client: ChainClient;
  readonly #provider: string;
  readonly #names: OrderNames;

  constructor(client: ChainClient, provider: string) {
    this.#client = client;
    this.#provider = provider;
    this.#names = new OrderNames(client);
  }

  async deployment(owner: string, dseq: bigint): Promise<DeploymentFacts | undefined> {
    const { leases } = await this.#client.market.leases({ owner, dseq, state: LeaseState.LEASE_STATE_UNSPECIFIED });
    const listed = leases.filter((lease) => lease.provider === this.#provider && isLive(lease));
    // All at once: each record waits for the block that proves it.
    const [found, held] = await Promise.all([
      unlessMissing(this.#client.deployment.deployment({ owner, dseq })),
      Promise.all(listed.map((lease) => this.#heldAs(lease, { owner, dseq }))),
    ]);
    const deployment = found?.deployment;
    if (deployment === undefined) return undefined;
    const { version, revision } = deployment;
    return { chainId: this.#client.chainId, owner, dseq, version, revision, held: held.flat() };
  }

  /** A lease that a list names, as its records say; nothing where they do not say that it lives here. */
  async #heldAs(
    listed: Lease,
    of: { readonly owner: string; readonly dseq: bigint },
  ): Promise<DeploymentFacts['held']> {
    const [record, guess] = await Promise.all([
      unlessMissing(this.#client.market.lease({ number: listed.number })),
      this.#names.of(listed),
    ]);
    const lease = record?.lease;
    if (lease?.order?.owner !== of.owner || lease.order.dseq !== of.dseq) return [];
    if (lease.provider !== this.#provider || !isLive(lease)) return [];
    const isRight = listed.order !== undefined && orderKey(lease.order) === orderKey(listed.order);
    return [{ lease: lease.number, infrastructure: isRight ? guess : await this.#names.of(lease) }];
  }

  async lease(number: bigint): Promise<LeaseFact | undefined> {
    const lease = (await unlessMissing(this.#client.market.lease({ number })))?.lease;
    if (lease?.order === undefined || lease.provider !== this.#provider) return undefined;
    const { owner, dseq } = lease.order;
    return {
      lease: number,
      owner,
      dseq,
      infrastructure: await this.#names.of(lease),
      live: isLive(lease),
    };
  }

  async accessKeys(owner: string, dseq: bigint): Promise<AccessKeyFact[]> {
    const found = await unlessMissing(this.#client.deployment.deployment({ owner, dseq }));
    const keys = found?.deployment?.accessKeys ?? [];
    return keys.map(({ publicKey, scopes, expiresHeight }) => ({
      publicKey,
      scopes: tenantScopes.filter((scope) => scopes.includes(scope)),
      expiresHeight,
    }));
  }
}
