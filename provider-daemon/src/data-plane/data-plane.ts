/** What is served on this machine: functions, the gateway's doors, ways between workloads, and what all of them count. */

import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { reach } from '../faults/fault-points.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { GatewayClaims } from '../gateway/gateway-claims.ts';
import { UnderWay } from '../gateway/upstreams.ts';
import type { InstanceRoute } from '../network/instance-route.ts';
import { closeCodes } from '../overlay/frames.ts';
import { Turns } from '../turns.ts';
import type { Quantity } from '../usage/counters.ts';
import type { CallableWorkload, FunctionSpec, WorkloadDriver } from '../workloads/driver.ts';
import { FarRoute } from './far-route.ts';
import { FunctionSet } from './function-set.ts';
import { type TunnelSurroundings, tunnelSurroundings } from './held-tunnel.ts';
import { InstancePool } from './instance-pool.ts';
import { LeaseHosts, type LeaseHostsOptions } from './lease-hosts.ts';
import { LeaseLinks } from './lease-links.ts';
import { LeaseRoutes } from './lease-routes.ts';
import { LeaseWays, type LeaseWaysOptions, type RouteOf } from './lease-ways.ts';
import type { ServedLinks, ServedNeighbour, ServedView } from './links.ts';
import {
  drainMs,
  type LeaseTotals,
  type Plane,
  type PlaneFigures,
  placed,
  type ServedGateway,
  type ServedLease,
  type ServedWays,
  type ServedWorkload,
} from './plane.ts';
import { RelayTally } from './relay-tally.ts';
import type { Totals } from './totals.ts';
import { TunnelBook } from './tunnel-book.ts';
import { TunnelTally } from './tunnel-tally.ts';
import { WayHealth } from './way-health.ts';

/** With thousands of tunnels a look at all of them takes seconds: whatever else is served goes on after so long. */
const lookMs = 5;

interface Serving {
  readonly functions: FunctionSet;
  /** By the workload's name; they live as long as the lease is served, so that connections keep their pool. */
  readonly pools: Map<string, InstancePool>;
  /** To own instances. */
  readonly routes: LeaseRoutes;
  readonly links: LeaseLinks;
  readonly ways: LeaseWays;
  readonly underWay: UnderWay;
  workloads: readonly ServedWorkload[];
  gateways: readonly ServedGateway[];
}

export interface DataPlaneOptions {
  readonly driver: WorkloadDriver<FunctionSpec, CallableWorkload>;
  readonly gateway: Pick<Gateway, 'setRoutes' | 'takeUsage' | 'remove' | 'state'>;
  /** Processes in which functions run; 0 where it is left out. */
  readonly sandboxes?: () => number;
  readonly totals: Totals;
  readonly ways: LeaseWaysOptions;
  /** Without it: this machine's clock, and no peer at a private address. */
  readonly tunnels?: TunnelSurroundings;
  /** Proves host names of tenants' own; without it none are served. */
  readonly hosts?: Omit<LeaseHostsOptions, 'onChange'>;
}

export class DataPlane implements Plane {
  readonly #options: DataPlaneOptions;
  readonly #claims: GatewayClaims;
  readonly #hosts: LeaseHosts | undefined;
  readonly #leases = new Map<string, Serving>();
  readonly #relays = new RelayTally();
  readonly #tunnels = new TunnelTally();
  readonly #book: TunnelBook;
  readonly #surroundings: TunnelSurroundings;
  #view: ServedView | undefined;
  /** Changes of one lease, one after the other. */
  readonly #turns = new Turns();

  constructor(options: DataPlaneOptions) {
    this.#options = options;
    this.#claims = new GatewayClaims(options.gateway);
    this.#surroundings = options.tunnels ?? tunnelSurroundings();
    this.#book = new TunnelBook(this.#surroundings.log);
    const { hosts } = options;
    this.#hosts = hosts && new LeaseHosts({ ...hosts, onChange: (lease) => this.#rename(lease) });
  }

  open(lease: string, ways: ServedWays): Promise<void> {
    return this.#turns.take(lease, () => this.#servingOf(lease).ways.open(ways));
  }

  serve(wish: ServedLease): Promise<void> {
    return this.#turns.take(wish.lease, async () => {
      const serving = this.#servingOf(wish.lease);
      // What may fail comes first: an address that cannot be had, a function that does not start.
      await serving.ways.open(wish);
      await serving.functions.apply(wish.functions);
      placeAll(serving, wish.workloads);
      await serving.ways.keepOnly(wish);
      this.#hosts?.set(wish.lease, wish);
      for (const gateway of wish.gateways) this.#openDoor(wish.lease, gateway, serving);
      const kept = wish.gateways.map(({ label }) => label);
      for (const { label } of serving.gateways) if (!kept.includes(label)) this.#claims.release(wish.lease, label);
      serving.gateways = wish.gateways;
      reach('routes.set');
      await serving.functions.prune();
    });
  }

  place(lease: string, workloads: readonly ServedWorkload[]): Promise<void> {
    return this.#turns.take(lease, async () => {
      const serving = this.#leases.get(lease);
      if (serving === undefined) return;
      placeAll(serving, placed(serving.workloads, workloads));
    });
  }

  async link(lease: string, links: ServedLinks): Promise<void> {
    const known = this.#leases.get(lease)?.links;
    // What is to be cut does not wait for a function that starts.
    try {
      if (known !== undefined && !known.isClosed) known.set(links);
      else await this.#turns.take(lease, async () => this.#leases.get(lease)?.links.set(links));
    } finally {
      this.#lookAround();
    }
  }

  async view(view: ServedView): Promise<void> {
    this.#view = view;
    let sinceMs = performance.now();
    for (const { links } of [...this.#leases.values()]) {
      for (const tunnel of links.tunnels()) {
        tunnel.look();
        if (performance.now() - sinceMs < lookMs) continue;
        await turn();
        sinceMs = performance.now();
      }
    }
  }

  /** Takes a connection whose client wants a tunnel. */
  takeTunnel(socket: Socket): void {
    this.#book.take(socket);
  }

  async drain(lease: string, addresses: readonly string[]): Promise<void> {
    // What it has been told of them before counts; what comes after it does not wait.
    await this.#turns.take(lease, async () => {});
    await this.#leases.get(lease)?.underWay.over(addresses, drainMs);
  }

  withdraw(lease: string): Promise<void> {
    this.#cutLinks(lease);
    return this.#turns.take(lease, async () => {
      const serving = this.#leases.get(lease);
      if (serving === undefined) return;
      for (const { label } of serving.gateways) this.#claims.release(lease, label);
      this.#hosts?.drop(lease);
      this.#cutLinks(lease);
      await serving.ways.close();
      await serving.functions.stop();
      this.#options.totals.add(lease, this.#usedBy(lease, serving));
      this.#leases.delete(lease);
    });
  }

  /** And what other leases have opened to its workloads. */
  #cutLinks(lease: string): void {
    this.#leases.get(lease)?.links.close();
    this.#lookAround();
  }

  #lookAround(): void {
    for (const { links } of this.#leases.values()) links.lookAround();
  }

  async served(): Promise<string[]> {
    return [...this.#leases.keys()];
  }

  async totals(): Promise<LeaseTotals[]> {
    this.count();
    return this.#options.totals.all();
  }

  async figures(): Promise<PlaneFigures> {
    const { gateway, sandboxes } = this.#options;
    const tunnels = { ...this.#tunnels.figures(), refusedPeers: this.#book.refused };
    return { gateway: gateway.state(), relays: this.#relays.figures(), tunnels, sandboxes: sandboxes?.() ?? 0 };
  }

  async forget(lease: string): Promise<void> {
    this.#options.totals.forget(lease);
  }

  /** Adds what was used since the last call to the totals, and brings them to the disk. */
  count(): void {
    const { totals } = this.#options;
    for (const [lease, serving] of this.#leases) totals.add(lease, this.#usedBy(lease, serving));
    totals.flush();
  }

  /** Cuts all tunnels: the process ends, their peers find others or wait for the next one. */
  cutTunnels(): void {
    for (const { links } of this.#leases.values())
      links.close(closeCodes.shutdown, 'the node ends its service for now');
  }

  #usedBy(lease: string, { functions, ways, links }: Serving): Quantity[] {
    return [...functions.takeUsage(), ...ways.takeUsage(), ...links.takeUsage(), ...this.#claims.takeUsage(lease)];
  }

  #servingOf(lease: string): Serving {
    const serving = this.#leases.get(lease) ?? this.#begin(lease);
    this.#leases.set(lease, serving);
    serving.links.begin();
    return serving;
  }

  #begin(lease: string): Serving {
    const routes = new LeaseRoutes();
    const neighbour = (of: ServedNeighbour): InstanceRoute | undefined => {
      const other = this.#leases.get(of.lease);
      const offer = other?.links.offerTo(of);
      return offer && other?.routes.of(offer.service, offer.port);
    };
    const links = new LeaseLinks({
      lease,
      book: this.#book,
      tally: this.#tunnels,
      tunnel: {
        ...this.#surroundings,
        view: () => this.#view,
        instances: (service, port) => routes.of(service, port),
      },
      neighbour,
    });
    const health = new WayHealth(this.#surroundings.timers.now);
    const routeOf: RouteOf = (to) =>
      'far' in to ? new FarRoute(() => links.waysTo(to.far, to.caller), health) : routes.of(to.service, to.port);
    return {
      ...{ routes, links, ways: new LeaseWays(this.#options.ways, routeOf, this.#relays) },
      functions: new FunctionSet(lease, this.#options.driver),
      pools: new Map<string, InstancePool>(),
      underWay: new UnderWay(),
      workloads: [],
      gateways: [],
    };
  }

  /** Looks at the host names that are due. */
  async checkHosts(): Promise<void> {
    await this.#hosts?.check();
  }

  #rename(lease: string): void {
    for (const gateway of this.#leases.get(lease)?.gateways ?? [])
      this.#claims.rename(lease, gateway.label, this.#provedHosts(lease, gateway));
  }

  #provedHosts(lease: string, gateway: ServedGateway): readonly string[] {
    return this.#hosts?.proved(lease, gateway) ?? [];
  }

  #openDoor(lease: string, gateway: ServedGateway, { functions, pools, underWay }: Serving): void {
    const { label, service, routes } = gateway;
    this.#claims.serve(lease, label, {
      deployment: lease,
      service,
      routes,
      functions: functions.workloads(),
      upstreams: pools,
      underWay,
      hosts: this.#provedHosts(lease, gateway),
    });
  }
}

function placeAll(serving: Serving, workloads: readonly ServedWorkload[]): void {
  const { pools, routes } = serving;
  serving.workloads = workloads;
  routes.place(workloads);
  for (const { service, instances } of workloads) {
    const pool = pools.get(service) ?? new InstancePool();
    pools.set(service, pool);
    pool.instances = instances;
  }
  const named = new Set(workloads.map(({ service }) => service));
  for (const service of [...pools.keys()]) if (!named.has(service)) pools.delete(service);
}
