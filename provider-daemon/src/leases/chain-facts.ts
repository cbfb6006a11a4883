/**
 * What the provider's own listener asks of the chain: deployments and leases, as they stand now. What it decides on is read
 * record by record, since only these are proved; a list only says which to read.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { LeaseState } from '@mu/proto/market';
import type { LeaseFact, LeaseFacts } from '../api/sources.ts';
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
    const held = records.flatMap((record) => {
      const lease = record?.lease;
      if (lease?.order?.owner !== owner || lease.order.dseq !== dseq) return [];
      if (lease.provider !== this.#provider || !isLive(lease.state)) return [];
      const infrastructure = deployment.infrastructure[lease.order.infrastructure]?.name ?? '';
      return [{ lease: lease.number, infrastructure }];
    });
    const { version, revision } = deployment;
    return { chainId: this.#client.chainId, owner, dseq, version, revision, held };
  }

  async lease(number: bigint): Promise<LeaseFact | undefined> {
    const lease = (await unlessMissing(this.#client.market.lease({ number })))?.lease;
    if (lease?.order === undefined || lease.provider !== this.#provider) return undefined;
    const { owner, dseq, infrastructure } = lease.order;
    const { deployment } = await this.#client.deployment.deployment({ owner, dseq });
    return { lease: number, owner, dseq, infrastructure: deployment?.infrastructure[infrastructure]?.name ?? '' };
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
