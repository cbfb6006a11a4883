/**
 * Which lease answers at a label of the gateway. A label is made of deployment and service, so while a lease is handed over
 * to another one of the same provider both have the same: the one that started last answers, and when it ends, the other.
 */

import type { Quantity } from '../usage/counters.ts';
import type { Gateway } from './gateway.ts';
import type { GatewayService } from './routes.ts';

interface Claim {
  readonly lease: string;
  readonly service: GatewayService;
}

export class GatewayClaims {
  readonly #gateway: Pick<Gateway, 'setRoutes' | 'takeUsage' | 'remove'>;
  /** by label; the last one answers */
  readonly #claims = new Map<string, readonly Claim[]>();
  /** by lease, not yet taken */
  readonly #used = new Map<string, Quantity[]>();

  constructor(gateway: Pick<Gateway, 'setRoutes' | 'takeUsage' | 'remove'>) {
    this.#gateway = gateway;
  }

  /** A lease serves a label from now on; what others used there so far is theirs. */
  serve(lease: string, label: string, service: GatewayService): void {
    this.#count(label);
    const others = (this.#claims.get(label) ?? []).filter((claim) => claim.lease !== lease);
    this.#claims.set(label, [...others, { lease, service }]);
    this.#gateway.setRoutes(label, service);
  }

  /** Other host names for what a lease serves at a label; who answers there stays. */
  rename(lease: string, label: string, hosts: readonly string[]): void {
    const claims = (this.#claims.get(label) ?? []).map((claim) =>
      claim.lease === lease ? { lease, service: { ...claim.service, hosts } } : claim,
    );
    const last = claims.at(-1);
    if (last === undefined) return;
    this.#claims.set(label, claims);
    if (last.lease === lease) this.#gateway.setRoutes(label, last.service);
  }

  /** A lease serves a label no more. */
  release(lease: string, label: string): void {
    this.#count(label);
    const rest = (this.#claims.get(label) ?? []).filter((claim) => claim.lease !== lease);
    const next = rest.at(-1);
    if (next !== undefined) {
      this.#claims.set(label, rest);
      this.#gateway.setRoutes(label, next.service);
      return;
    }
    this.#claims.delete(label);
    this.#gateway.remove(label);
  }

  /** What a lease used at its labels since the last call. */
  takeUsage(lease: string): Quantity[] {
    for (const [label, claims] of this.#claims) if (claims.at(-1)?.lease === lease) this.#count(label);
    const used = this.#used.get(lease) ?? [];
    this.#used.delete(lease);
    return used;
  }

  /** Gives what a label counted to the lease that answers there. */
  #count(label: string): void {
    const claim = this.#claims.get(label)?.at(-1);
    if (claim === undefined) return;
    const { requests, bytes } = this.#gateway.takeUsage(label);
    const { service } = claim.service;
    const used: Quantity[] = [
      { service, metric: 'gateway-requests', quantity: requests },
      { service, metric: 'gateway-bytes', quantity: bytes },
    ];
    this.#used.set(claim.lease, [
      ...(this.#used.get(claim.lease) ?? []),
      ...used.filter(({ quantity }) => quantity > 0n),
    ]);
  }
}
