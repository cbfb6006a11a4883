/**
 * The data plane as the daemon sees it (design §7): what serves requests, in a process of its own, so that a restart of
 * the daemon drops no connection. It decides nothing: the daemon tells it, lease by lease, all that it is to serve, and it
 * counts. Everything here is plain data that goes through a socket.
 */
import type { GatewayState } from '../gateway/gateway.ts';
import type { RouteSpec } from '../gateway/routes.ts';
import type { UpstreamInstance } from '../gateway/upstreams.ts';
import type { ContainerPort } from '../workloads/driver.ts';
import type { FarName, ServedLinks, ServedView } from './links.ts';
import type { RelayFigures } from './relay-tally.ts';
import type { TunnelFigures } from './tunnel-tally.ts';

/** A function: its module lies on this machine. */
export interface ServedFunction {
  readonly service: string;
  /** Of the module, absolute. */
  readonly file: string;
  /** SHA-256 of the module, hex: a file that changed under the same name is another function. */
  readonly sha256: string;
  readonly memoryBytes: number;
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
}

/** One door of a lease at the gateway. */
export interface ServedGateway {
  /** At `<label>.<domain>`, or at the path `/~<label>/`. */
  readonly label: string;
  readonly service: string;
  readonly routes: readonly RouteSpec[];
  /** Further host names, which their owner has proved. */
  readonly hosts: readonly string[];
}

/** The instances of a workload, as they stand now. */
export interface ServedWorkload {
  readonly service: string;
  readonly instances: readonly UpstreamInstance[];
}

/** Where a relay's connections go. */
export type RelayTarget =
  | { readonly service: string; readonly port: number }
  | {
      readonly far: FarName;
      readonly service: string;
      /** The own workload that calls: it takes its own tunnels and no other's. Absent: any of the lease's. */
      readonly caller?: string;
    };

/** An address at which connections are taken and carried to a workload. */
export interface ServedRelay {
  readonly listen: { readonly address: string; readonly port: number };
  readonly protocol: ContainerPort['protocol'];
  /** The workload and its port; or a workload elsewhere, by whatever link leads there. */
  readonly to: RelayTarget;
  /** Bytes through it are counted for the bill. */
  readonly metered: boolean;
}

/** The names that the instances of one workload can resolve. */
export interface ServedNames {
  /** Where the resolver listens, port 53: the host's side of the workload's network. */
  readonly address: string;
  /** `db` → the address behind `db.mu.internal`. */
  readonly names: Readonly<Record<string, string>>;
  /** Whether other names are asked for further on. */
  readonly egress: 'none' | 'public';
}

/** Ways between the workloads of a lease, and to them from outside. */
export interface ServedWays {
  readonly relays: readonly ServedRelay[];
  readonly names: readonly ServedNames[];
}

/** All that is served for one lease. */
export interface ServedLease extends ServedWays {
  /** Its number, as text. */
  readonly lease: string;
  /** `<owner>/<dseq>`: what the owner of a host name proves it with. */
  readonly deployment: string;
  readonly functions: readonly ServedFunction[];
  readonly gateways: readonly ServedGateway[];
  readonly workloads: readonly ServedWorkload[];
}

/** A total of one metric of one service; as text, since JSON's numbers end at 2⁵³. */
export interface PlaneTotal {
  readonly service: string;
  readonly metric: string;
  readonly total: string;
}

/** What a lease used here, counted from when it was first served; on the disk when it is told. */
export interface LeaseTotals {
  readonly lease: string;
  readonly totals: readonly PlaneTotal[];
}

/** How the data plane stands, and what it did since its process began; for operators. */
export interface PlaneFigures {
  readonly gateway: GatewayState;
  readonly relays: RelayFigures;
  readonly tunnels: TunnelFigures;
  /** Processes in which functions run, those included that wait for one. */
  readonly sandboxes: number;
}

/** For what is under way at something that goes to finish: a relay that closes, an instance that is replaced. */
export const drainMs = 10_000;

/** The workloads of a lease after a change of some of them. */
export function placed(before: readonly ServedWorkload[], changed: readonly ServedWorkload[]): ServedWorkload[] {
  const named = new Set(changed.map(({ service }) => service));
  return [...before.filter(({ service }) => !named.has(service)), ...changed];
}

/** What the data plane is to serve, and what came of it. */
export interface Plane {
  /**
   * Opens ways beside those that stand, before the workloads are there that need them; `serve` closes what it does not
   * name.
   * @throws WorkloadError `failed` where an address cannot be listened at
   */
  open(lease: string, ways: ServedWays): Promise<void>;
  /**
   * Serves a lease, or replaces what is served for it: all of it, or, where it throws, as before.
   * @throws WorkloadError where a function does not start
   */
  serve(lease: ServedLease): Promise<void>;
  /** The instances of these workloads have changed, others are as before; nothing where nothing was opened for the lease. */
  place(lease: string, workloads: readonly ServedWorkload[]): Promise<void>;
  /** The links of a lease that is served or opened: those that are not named any more are cut. */
  link(lease: string, links: ServedLinks): Promise<void>;
  /** The chain has been looked at: tunnels whose peer may no longer have one are cut. */
  view(view: ServedView): Promise<void>;
  /** Resolves when instances that are no longer placed answer no request any more, at the latest after `drainMs`. */
  drain(lease: string, addresses: readonly string[]): Promise<void>;
  /** No longer serves a lease; its totals stay. */
  withdraw(lease: string): Promise<void>;
  /** Leases that are served. */
  served(): Promise<readonly string[]>;
  totals(): Promise<readonly LeaseTotals[]>;
  figures(): Promise<PlaneFigures>;
  /** A lease is over and billed: its totals go. */
  forget(lease: string): Promise<void>;
}
