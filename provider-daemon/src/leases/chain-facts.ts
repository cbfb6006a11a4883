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
import { isLive } from './lease-machine.ts';

/** Orders whose infrastructures are kept in memory. */
const maxKnown = 10_000;

export class ChainFacts implements LeaseFacts {
  readonly #client: ChainClient;
  readonly #provider: string;
  /** Names by their orders, as proved. */
  readonly #infrastructures = new Map<string, string>();

  constructor(client: ChainClient, provider: string) {
    this.#client = client;
    this.#provider = provider;
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
      this.#infrastructureOf(listed),
    ]);
    const lease = record?.lease;
    if (lease?.order?.owner !== of.owner || lease.order.dseq !== of.dseq) return [];
    if (lease.provider !== this.#provider || !isLive(lease)) return [];
    const isRight = orderName(lease) === orderName(listed);
    return [{ lease: lease.number, infrastructure: isRight ? guess : await this.#infrastructureOf(lease) }];
  }

  /** By its order: in the deployment another infrastructure may have taken the index since. An order's is its own for good. */
  async #infrastructureOf(lease: Lease): Promise<string> {
    const key = orderName(lease);
    const known = this.#infrastructures.get(key);
    if (known !== undefined || lease.order === undefined) return known ?? '';
    const found = await unlessMissing(this.#client.market.order(lease.order));
    const name = found?.order?.spec?.name ?? '';
    if (name === '') return '';
    const [oldest] = this.#infrastructures.keys();
    if (this.#infrastructures.size >= maxKnown && oldest !== undefined) this.#infrastructures.delete(oldest);
    this.#infrastructures.set(key, name);
    return name;
  }

  async lease(number: bigint): Promise<LeaseFact | undefined> {
    const lease = (await unlessMissing(this.#client.market.lease({ number })))?.lease;
    if (lease?.order === undefined || lease.provider !== this.#provider) return undefined;
    const { owner, dseq } = lease.order;
    return {
      lease: number,
      owner,
      dseq,
      infrastructure: await this.#infrastructureOf(lease),
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

function orderName({ order }: Lease): string {
  return order === undefined ? '' : [order.owner, order.dseq, order.infrastructure, order.round].join('/');
}
