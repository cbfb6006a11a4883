/**
 * The route to a workload of another infrastructure: over whichever of the lease's links leads there and stands. It is
 * chosen anew for each connection; those that have refused lately are tried last.
 */
import type { Duplex } from 'node:stream';
import type { StreamRoute } from '../network/relay.ts';
import type { DatagramRoute, DatagramSession } from '../network/udp-relay.ts';
import { isRefusal } from '../overlay/stream-reset.ts';
import { HandedOnStream } from './handed-on-stream.ts';
import type { CallOutcome, WayHealth } from './way-health.ts';

/** A tunnel, as a route sees it. */
export interface FarTunnel extends StreamRoute, DatagramRoute {
  readonly isUp: boolean;
  /** @throws Error where it is not up in time */
  whenUp(signal: AbortSignal): Promise<void>;
}

/** Who takes what comes back of a flow of datagrams, and hears that the far side has ended it. */
type FarFlow = Parameters<DatagramRoute['openDatagrams']>[0];

/** A lease of the same machine. */
export type FarNeighbour = StreamRoute & DatagramRoute;

export interface FarWays {
  /** They are nearest. */
  readonly neighbours: readonly FarNeighbour[];
  /** In the order in which they are tried. */
  readonly tunnels: readonly FarTunnel[];
}

export class FarRoute implements StreamRoute, DatagramRoute {
  readonly #ways: () => FarWays;
  readonly #health: WayHealth;

  /**
   * @param ways those that there are now
   * @param health of these ways: it outlives the route
   */
  constructor(ways: () => FarWays, health: WayHealth) {
    this.#ways = ways;
    this.#health = health;
  }

  /** A stream that a way refuses before anything has come back is handed on to the next one, where there is one. */
  async open(signal: AbortSignal): Promise<Duplex> {
    const tried = new Set<object>();
    const first = await this.#openUntried(tried, signal);
    const { neighbours, tunnels } = this.#ways();
    if ([...neighbours, ...tunnels].every((way) => tried.has(way))) return first;
    return new HandedOnStream(first, (gone) => this.#openUntried(tried, gone));
  }

  /** @param tried ways by which it is not opened; those that are tried now are added */
  async #openUntried(tried: Set<object>, signal: AbortSignal): Promise<Duplex> {
    const { neighbours, tunnels } = this.#ways();
    const untried = <Way extends object>(ways: readonly Way[]): Way[] => ways.filter((way) => !tried.has(way));
    const standing = this.#health.inOrder(untried([...neighbours, ...tunnels.filter(({ isUp }) => isUp)]));
    let why: unknown;
    for (const way of standing) {
      if (signal.aborted) break;
      tried.add(way);
      const outcome = this.#health.begin(way);
      try {
        return watched(await way.open(signal), outcome);
      } catch (cause) {
        why = cause;
        // A neighbour has asked its instances; a tunnel that takes nothing says so here, and costs no time.
        if (neighbours.includes(way) && !signal.aborted) outcome.refused();
      }
    }
    const waiting = untried(tunnels);
    if (waiting.length > 0 && !signal.aborted) return this.#firstUp(waiting, tried, signal);
    throw new Error(standing.length === 0 ? 'no link leads there' : 'no link takes the connection', { cause: why });
  }

  /** Datagrams do not wait: who sends them sends them again. */
  openDatagrams(far: FarFlow): DatagramSession | undefined {
    const { neighbours, tunnels } = this.#ways();
    for (const way of this.#health.inOrder([...neighbours, ...tunnels])) {
      // A flow that ends with its tunnel was not refused.
      const stands = (): boolean => neighbours.includes(way) || tunnels.some((one) => one === way && one.isUp);
      const session = way.openDatagrams(watchedFlow(far, this.#health.begin(way), stands));
      if (session !== undefined) return session;
    }
    return undefined;
  }

  /** A stream over the first one that comes up; all are waited for at once. */
  async #firstUp(tunnels: readonly FarTunnel[], tried: Set<object>, signal: AbortSignal): Promise<Duplex> {
    const enough = new AbortController();
    const either = AbortSignal.any([signal, enough.signal]);
    try {
      const up = await Promise.any(tunnels.map((tunnel) => tunnel.whenUp(either).then(() => tunnel)));
      tried.add(up);
      const outcome = this.#health.begin(up);
      return watched(await up.open(signal), outcome);
    } catch (error) {
      throw error instanceof AggregateError ? (error.errors[0] as Error) : error;
    } finally {
      enough.abort();
    }
  }
}

/** Whether it is refused, or answered. */
function watched(stream: Duplex, outcome: CallOutcome): Duplex {
  stream.once('error', (error) => {
    if (isRefusal(error)) outcome.refused();
  });
  // Who listens for data makes them flow: not before somebody else does.
  const onListener = (event: string | symbol): void => {
    if (event !== 'data') return;
    stream.off('newListener', onListener);
    stream.once('data', outcome.answered);
  };
  stream.on('newListener', onListener);
  return stream;
}

/** The same of a flow of datagrams, whose end has no code: it was refused where it ends before anything has come back. */
function watchedFlow(far: FarFlow, outcome: CallOutcome, stands: () => boolean): FarFlow {
  let isSilent = true;
  return {
    message: (bytes) => {
      if (isSilent) outcome.answered();
      isSilent = false;
      far.message(bytes);
    },
    closed: () => {
      if (isSilent && stands()) outcome.refused();
      far.closed();
    },
  };
}
