/** Where the instances of a workload answer, and which of them is given the next request. */

/** One instance. */
export interface UpstreamInstance {
  /** IP address that this process can reach. */
  readonly address: string;
  /** Where it is not the route's own. */
  readonly port?: number;
  /** Only ready ones are given requests. */
  readonly ready: boolean;
}

/** The instances of one workload. They are read at each request: whoever steers the gateway changes them as they change. */
export interface UpstreamPool {
  readonly instances: readonly UpstreamInstance[];
}

/** An instance that was chosen. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
}

/** Requests that instances are answering, by the instances' addresses; websockets are not among them. */
export class UnderWay {
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  begin(address: string): void {
    this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
  }

  end(address: string): void {
    const count = (this.#counts.get(address) ?? 0) - 1;
    if (count > 0) this.#counts.set(address, count);
    else this.#counts.delete(address);
    if (count <= 0) for (const look of this.#waiting) look();
  }

  /** Resolves when none of these instances answers any request, at the latest after `limitMs`. */
  async over(addresses: readonly string[], limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (!addresses.some((address) => this.#counts.has(address))) resolve();
    };
    const timer = setTimeout(resolve, limitMs);
    this.#waiting.add(look);
    look();
    await promise;
    this.#waiting.delete(look);
    clearTimeout(timer);
  }
}

interface Standing {
  pending: number;
  /** Until then it is passed over: it could not be reached. */
  outUntil: number;
}

export interface BalancerOptions {
  /** For so long an instance that could not be reached is passed over, in ms. */
  readonly outMs: number;
  /** Milliseconds. */
  readonly now: () => number;
}

const keyOf = ({ address, port }: Upstream): string => `${address} ${port}`;

/**
 * Chooses among instances: the ready one with the fewest requests under way, in turns where they are equal. One that could
 * not be reached is passed over for some seconds, unless there is no other.
 */
export class Balancer {
  readonly #standings = new Map<string, Standing>();
  readonly #options: BalancerOptions;
  #turn = 0;

  constructor(options: BalancerOptions) {
    this.#options = options;
  }

  /** The next instance, none of `tried`; undefined where none is left. The caller tells `begin` and `end`. */
  pick(pool: UpstreamPool, port: number, tried: readonly Upstream[] = []): Upstream | undefined {
    const without = new Set(tried.map(keyOf));
    const ready = pool.instances
      .filter((one) => one.ready)
      .map((one) => ({ address: one.address, port: one.port ?? port }))
      .filter((one) => !without.has(keyOf(one)));
    const now = this.#options.now();
    const reachable = ready.filter((one) => (this.#standings.get(keyOf(one))?.outUntil ?? 0) <= now);
    const among = reachable.length > 0 ? reachable : ready;
    this.#turn += 1;
    let best: Upstream | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < among.length; index += 1) {
      const one = among[(index + this.#turn) % among.length]!;
      const pending = this.#standings.get(keyOf(one))?.pending ?? 0;
      if (pending >= fewest) continue;
      best = one;
      fewest = pending;
    }
    return best;
  }

  begin(upstream: Upstream): void {
    this.#standing(upstream).pending += 1;
  }

  /** @param reached false: it could not be connected to */
  end(upstream: Upstream, reached: boolean): void {
    const standing = this.#standing(upstream);
    standing.pending -= 1;
    if (!reached) standing.outUntil = this.#options.now() + this.#options.outMs;
    else standing.outUntil = 0;
    // Addresses come and go with their instances: what says nothing is not kept.
    if (standing.pending === 0 && standing.outUntil === 0) this.#standings.delete(keyOf(upstream));
  }

  #standing(upstream: Upstream): Standing {
    const key = keyOf(upstream);
    const known = this.#standings.get(key) ?? { pending: 0, outUntil: 0 };
    this.#standings.set(key, known);
    return known;
  }
}
