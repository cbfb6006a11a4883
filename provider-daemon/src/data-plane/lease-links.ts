/** The links of one lease at the data plane: tunnels to other nodes, and other leases of this machine. */
import type { InstanceRoute } from '../network/instance-route.ts';
import { closeCodes } from '../overlay/frames.ts';
import type { Quantity } from '../usage/counters.ts';
import type { FarWays } from './far-route.ts';
import { HeldTunnel, type HeldTunnelOptions } from './held-tunnel.ts';
import type { FarName, ServedLinks, ServedNeighbour, ServedOffer, ServedTunnel } from './links.ts';
import { NeighbourRoute } from './neighbour-route.ts';
import type { TunnelBook } from './tunnel-book.ts';
import type { TunnelTally } from './tunnel-tally.ts';

export interface LeaseLinksOptions {
  /** Its number, as text. */
  readonly lease: string;
  readonly tunnel: HeldTunnelOptions;
  readonly book: TunnelBook;
  readonly tally: TunnelTally;
  /** Instances of another lease; undefined where it is not served here any more, or does not offer them to the caller. */
  readonly neighbour: (of: ServedNeighbour) => InstanceRoute | undefined;
}

export class LeaseLinks {
  readonly #options: LeaseLinksOptions;
  /** By their labels, in the order in which they are tried. */
  #tunnels = new Map<string, HeldTunnel>();
  #neighbours = new Map<string, NeighbourRoute>();
  #offers: readonly ServedOffer[] = [];
  /** Of tunnels that are over, not yet taken. */
  #left: Quantity[] = [];
  #isClosed = false;

  constructor(options: LeaseLinksOptions) {
    this.#options = options;
  }

  /** They have been cut for good: nothing is linked any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Opens tunnels that are new, tells those that stand what is new of them, and cuts those that are not named any more.
   * @throws Error where the credentials of one are none; the others are as told
   */
  set({ tunnels, neighbours, offers = [] }: ServedLinks): void {
    if (this.#isClosed) return;
    this.#offers = offers;
    this.#know(neighbours);
    const before = this.#tunnels;
    this.#tunnels = new Map();
    const named = new Set(tunnels.map(({ label }) => label));
    for (const [label, tunnel] of before)
      if (!named.has(label)) this.#cut(tunnel, 'the connection is no longer agreed');
    const failures: unknown[] = [];
    for (const wish of tunnels) {
      const known = before.get(wish.label);
      try {
        this.#hold(wish, known);
      } catch (error) {
        failures.push(error);
        if (known !== undefined) this.#tunnels.set(wish.label, known);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Those that stand now. */
  tunnels(): readonly HeldTunnel[] {
    return [...this.#tunnels.values()];
  }

  /** Other leases, or what they offer, have changed: connections to those that are not to be called any more are cut. */
  lookAround(): void {
    for (const route of this.#neighbours.values()) route.look();
  }

  /** Where a caller of another lease is led to; undefined where it may not call. */
  offerTo({ far, protocol, caller }: ServedNeighbour): ServedOffer | undefined {
    const isCaller = ({ infrastructure, workload }: ServedNeighbour['caller']): boolean =>
      infrastructure === caller.infrastructure && workload === caller.workload;
    return this.#offers.find((one) => one.far === far && one.protocol === protocol && one.callers.some(isCaller));
  }

  /** Those that lead there now. @param caller the own workload that calls; undefined: any */
  waysTo(far: FarName, caller: string | undefined): FarWays {
    const isFor = (way: HeldTunnel | NeighbourRoute): boolean =>
      way.far === far && (caller === undefined || way.caller === caller);
    return {
      neighbours: [...this.#neighbours.values()].filter(isFor),
      tunnels: [...this.#tunnels.values()].filter(isFor),
    };
  }

  /** Payload of tunnels since the last call, by the workload at this end. */
  takeUsage(): Quantity[] {
    const left = this.#left;
    this.#left = [];
    return [...left, ...[...this.#tunnels.values()].flatMap(bytesOf)];
  }

  /** The lease is served again, after it could not be withdrawn. */
  begin(): void {
    this.#isClosed = false;
  }

  /** All are cut, for good. @param code one of `closeCodes` */
  close(code: number = closeCodes.lease_ended, text = 'the lease has ended'): void {
    this.#isClosed = true;
    this.#offers = [];
    this.#know([]);
    for (const tunnel of this.#tunnels.values()) this.#cut(tunnel, text, code);
    this.#tunnels = new Map();
  }

  #hold(wish: ServedTunnel, known: HeldTunnel | undefined): void {
    if (known !== undefined) {
      known.update(wish);
      this.#tunnels.set(wish.label, known);
      return;
    }
    const { book, tally, lease } = this.#options;
    const tunnel = new HeldTunnel(wish, this.#options.tunnel);
    this.#tunnels.set(wish.label, tunnel);
    tally.add(tunnel);
    book.add(wish.label, lease, tunnel);
  }

  /** Connections to those that are not named any more are cut. */
  #know(neighbours: readonly ServedNeighbour[]): void {
    const before = this.#neighbours;
    this.#neighbours = new Map(
      neighbours.map((one) => {
        const key = JSON.stringify([one.far, one.protocol, one.lease, one.caller.infrastructure, one.caller.workload]);
        return [key, before.get(key) ?? new NeighbourRoute(one, () => this.#options.neighbour(one))];
      }),
    );
    for (const [key, route] of before) if (!this.#neighbours.has(key)) route.close();
  }

  #cut(tunnel: HeldTunnel, text: string, code: number = closeCodes.lease_ended): void {
    const { book, tally } = this.#options;
    book.remove(tunnel.wish.label, tunnel);
    tunnel.cut(code, text);
    this.#left.push(...bytesOf(tunnel));
    tally.remove(tunnel);
  }
}

function bytesOf(tunnel: HeldTunnel): Quantity[] {
  const quantity = tunnel.takeBytes();
  return quantity === 0n ? [] : [{ service: tunnel.wish.own.workload, metric: 'tunnel-bytes', quantity }];
}
