/**
 * What the provider's own listener asks of the chain: deployments and leases, as they stand now. What it decides on is read
 * record by record, since only these are proved; a list only says which to read.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { tenantScopes } from '@mu/client/tenant/delegation';
import { type Lease, LeaseState } from '@mu/proto/market';
import type { AccessKeyFact, LeaseFact, LeaseFacts } from '../api/sources.ts';
import type { DeploymentFacts } from '../manifests/verify-delivery.ts';

export class ChainFacts implements LeaseFacts {
  readonly #client: ChainClient;
  readonly #provider: string;

  constructor(client: ChainClient, provider: string) {
    this.#client = client;
    this.#provider = provider;
  }

  async deployment(owner: string, dseq: bigint): Promise<DeploymentFacts | undefined> {
    const found = await unlessMissing(this.#client.deployment.deployment({ owner, dseq }));
    const deployment = found?.deployment;
    if (deployment === undefined) return undefined;
    const { leases } = await this.#client.market.leases({ owner, dseq, state: LeaseState.LEASE_STATE_UNSPECIFIED });
    const records = await Promise.all(
      leases
        .filter(({ provider, state }) => provider === this.#provider && isLive(state))
        .map(({ number }) => unlessMissing(this.#client.market.lease({ number }))),
    );
    const mine = records.flatMap((record) => {
      const lease = record?.lease;
      if (lease?.order?.owner !== owner || lease.order.dseq !== dseq) return [];
      return lease.provider === this.#provider && isLive(lease.state) ? [lease] : [];
    });
    const held = await Promise.all(
      mine.map(async (lease) => ({ lease: lease.number, infrastructure: await this.#infrastructureOf(lease) })),
    );
    const { version, revision } = deployment;
    return { chainId: this.#client.chainId, owner, dseq, version, revision, held };
  }

  /** By its order: in the deployment another infrastructure may have taken the index since. */
  async #infrastructureOf({ order: id }: Lease): Promise<string> {
    const found = id === undefined ? undefined : await unlessMissing(this.#client.market.order(id));
    return found?.order?.spec?.name ?? '';
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
      live: isLive(lease.state),
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

function isLive(state: LeaseState): boolean {
  return state === LeaseState.LEASE_STATE_ACTIVE || state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ChainError && error.notFound) return undefined;
    throw error;
  }
}
