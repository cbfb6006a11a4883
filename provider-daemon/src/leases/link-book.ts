/** Which deployments have links to keep, and whose turn it is to be looked at: no I/O. */
import type { DeploymentId } from '@mu/proto/deployment';
import type { ServedLinks } from '../data-plane/links.ts';
import type { FarConnections } from './far-connections.ts';
import type { LeasePlace } from './plan.ts';

/** Deployments that are looked at with one block, where no event names more. */
export const looksPerBlock = 32;
/** Of them, those that no event has named: so many have their turn whatever the events name. */
export const turnsPerBlock = 8;

/** A lease that runs, or is starting. */
export interface LinkedLease {
  readonly place: LeasePlace;
  readonly plan: FarConnections;
  /** As the data plane has been told; undefined: it has not, or may not have heard it. */
  told: ServedLinks | undefined;
  /** Tunnels beyond the bound, when that was last said. */
  leftOut: number;
}

export interface LinkedDeployment extends DeploymentId {
  /** By number. */
  readonly leases: Map<bigint, LinkedLease>;
  /** Those that were asked about with the last look, by their addresses. */
  providers: ReadonlySet<string>;
  /** Looks of one lane go one after the other. */
  readonly lane: number;
}

export class LinkBook {
  readonly #lanes: number;
  #made = 0;
  /** The one that was looked at the longest time ago first. */
  readonly #deployments = new Map<string, LinkedDeployment>();
  /** Of leases, by their numbers. */
  readonly #keys = new Map<bigint, string>();
  readonly #touched = new Set<string>();

  /** @param lanes how many there are */
  constructor(lanes: number) {
    this.#lanes = lanes;
  }

  /** A lease with connections starts, or goes on with another plan. */
  put(place: LeasePlace, plan: FarConnections): LinkedDeployment {
    const { owner, dseq, lease } = place;
    const key = keyOf(place);
    const deployment = this.#deployments.get(key) ?? this.#begin({ owner, dseq });
    this.#deployments.set(key, deployment);
    this.#keys.set(lease, key);
    deployment.leases.set(lease, { place, plan, told: undefined, leftOut: 0 });
    return deployment;
  }

  remove(lease: bigint): void {
    const key = this.#keys.get(lease) ?? '';
    const deployment = this.#deployments.get(key);
    this.#keys.delete(lease);
    deployment?.leases.delete(lease);
    if (deployment?.leases.size !== 0) return;
    this.#deployments.delete(key);
    this.#touched.delete(key);
  }

  lease(lease: bigint): LinkedLease | undefined {
    return this.#deployments.get(this.#keys.get(lease) ?? '')?.leases.get(lease);
  }

  /** Something of it has changed: it is due. */
  touch(id: DeploymentId): void {
    const key = keyOf(id);
    if (this.#deployments.has(key)) this.#touched.add(key);
  }

  /** Every deployment that has to do with a provider. */
  touchProvider(owner: string): void {
    for (const [key, { providers }] of this.#deployments) if (providers.has(owner)) this.#touched.add(key);
  }

  touchAll(): void {
    for (const key of this.#deployments.keys()) this.#touched.add(key);
  }

  /** Those that were touched, all of them, and then others in turns. */
  takeDue(): LinkedDeployment[] {
    const touched = [...this.#touched];
    const others = [...this.#deployments.keys()].filter((key) => !this.#touched.has(key));
    this.#touched.clear();
    const turns = Math.max(turnsPerBlock, looksPerBlock - touched.length);
    return [...touched, ...others.slice(0, turns)].flatMap((key) => {
      const deployment = this.#deployments.get(key);
      if (deployment === undefined) return [];
      this.#deployments.delete(key);
      this.#deployments.set(key, deployment);
      return [deployment];
    });
  }

  #begin(id: DeploymentId): LinkedDeployment {
    this.#made += 1;
    return { ...id, leases: new Map(), providers: new Set(), lane: this.#made % this.#lanes };
  }
}

const keyOf = ({ owner, dseq }: DeploymentId): string => `${owner}/${dseq}`;
