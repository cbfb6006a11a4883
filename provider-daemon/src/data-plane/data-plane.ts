/** What is served on this machine: functions, the gateway's doors, and what both count. */
import type { Gateway } from '../gateway/gateway.ts';
import { GatewayClaims } from '../gateway/gateway-claims.ts';
import type { CallableWorkload, FunctionSpec, WorkloadDriver } from '../workloads/driver.ts';
import { FunctionSet } from './function-set.ts';
import { InstancePool } from './instance-pool.ts';
import type { LeaseTotals, Plane, ServedGateway, ServedLease, ServedWorkload } from './plane.ts';
import type { Totals } from './totals.ts';

interface Serving {
  readonly functions: FunctionSet;
  /** By the workload's name; they live as long as the lease is served, so that connections keep their pool. */
  readonly pools: Map<string, InstancePool>;
  labels: readonly string[];
}

export interface DataPlaneOptions {
  readonly driver: WorkloadDriver<FunctionSpec, CallableWorkload>;
  readonly gateway: Pick<Gateway, 'setRoutes' | 'takeUsage' | 'remove'>;
  readonly totals: Totals;
}

export class DataPlane implements Plane {
  readonly #options: DataPlaneOptions;
  readonly #claims: GatewayClaims;
  readonly #leases = new Map<string, Serving>();
  /** Changes of one lease, one after the other. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(options: DataPlaneOptions) {
    this.#options = options;
    this.#claims = new GatewayClaims(options.gateway);
  }

  serve(wish: ServedLease): Promise<void> {
    return this.#inTurn(wish.lease, async () => {
      const known = this.#leases.get(wish.lease);
      const serving = known ?? {
        functions: new FunctionSet(wish.lease, this.#options.driver),
        pools: new Map<string, InstancePool>(),
        labels: [],
      };
      await serving.functions.apply(wish.functions);
      this.#leases.set(wish.lease, serving);
      placeAll(serving, wish.workloads);
      for (const gateway of wish.gateways) this.#open(wish, gateway, serving);
      const kept = wish.gateways.map(({ label }) => label);
      for (const label of serving.labels) if (!kept.includes(label)) this.#claims.release(wish.lease, label);
      serving.labels = kept;
      await serving.functions.prune(wish.functions);
    });
  }

  place(lease: string, workloads: readonly ServedWorkload[]): Promise<void> {
    return this.#inTurn(lease, async () => {
      const serving = this.#leases.get(lease);
      if (serving !== undefined) placeAll(serving, workloads);
    });
  }

  withdraw(lease: string): Promise<void> {
    return this.#inTurn(lease, async () => {
      const serving = this.#leases.get(lease);
      if (serving === undefined) return;
      this.#leases.delete(lease);
      for (const label of serving.labels) this.#claims.release(lease, label);
      await serving.functions.prune([]);
      this.#options.totals.add(lease, [...serving.functions.takeUsage(), ...this.#claims.takeUsage(lease)]);
    });
  }

  async served(): Promise<string[]> {
    return [...this.#leases.keys()];
  }

  async totals(): Promise<LeaseTotals[]> {
    this.count();
    return this.#options.totals.all();
  }

  async forget(lease: string): Promise<void> {
    this.#options.totals.forget(lease);
  }

  /** Adds what was used since the last call to the totals, and brings them to the disk. */
  count(): void {
    const { totals } = this.#options;
    for (const [lease, { functions }] of this.#leases)
      totals.add(lease, [...functions.takeUsage(), ...this.#claims.takeUsage(lease)]);
    totals.flush();
  }

  #open(wish: ServedLease, { label, service, routes, hosts }: ServedGateway, { functions, pools }: Serving): void {
    this.#claims.serve(wish.lease, label, {
      deployment: wish.lease,
      service,
      routes,
      functions: functions.workloads(),
      upstreams: pools,
      hosts,
    });
  }

  #inTurn(lease: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(lease) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => {});
    this.#turns.set(lease, settled);
    void settled.then(() => {
      if (this.#turns.get(lease) === settled) this.#turns.delete(lease);
    });
    return turn;
  }
}

function placeAll({ pools }: Serving, workloads: readonly ServedWorkload[]): void {
  for (const { service, instances } of workloads) {
    const pool = pools.get(service) ?? new InstancePool();
    pools.set(service, pool);
    pool.instances = instances;
  }
  const named = new Set(workloads.map(({ service }) => service));
  for (const service of [...pools.keys()]) if (!named.has(service)) pools.delete(service);
}
