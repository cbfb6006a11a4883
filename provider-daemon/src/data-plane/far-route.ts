/**
 * The route to a workload of another infrastructure: over whichever of the lease's links leads there and stands. It is
 * chosen anew for each connection.
 */
import type { Duplex } from 'node:stream';
import type { StreamRoute } from '../network/relay.ts';
import type { DatagramRoute, DatagramSession } from '../network/udp-relay.ts';

/** A tunnel, as a route sees it. */
export interface FarTunnel extends StreamRoute, DatagramRoute {
  readonly isUp: boolean;
  /** @throws Error where it is not up in time */
  whenUp(signal: AbortSignal): Promise<void>;
}

export interface FarWays {
  /** Leases of the same machine, which are nearest. */
  readonly neighbours: readonly (StreamRoute & DatagramRoute)[];
  /** In the order in which they are tried. */
  readonly tunnels: readonly FarTunnel[];
}

export class FarRoute implements StreamRoute, DatagramRoute {
  readonly #ways: () => FarWays;

  /** @param ways those that there are now */
  constructor(ways: () => FarWays) {
    this.#ways = ways;
  }

  async open(signal: AbortSignal): Promise<Duplex> {
    const { neighbours, tunnels } = this.#ways();
    const standing = [...neighbours, ...tunnels.filter(({ isUp }) => isUp)];
    let why: unknown;
    for (const way of standing) {
      if (signal.aborted) break;
      try {
        return await way.open(signal);
      } catch (cause) {
        why = cause;
      }
    }
    const waiting = tunnels.filter((tunnel) => !standing.includes(tunnel));
    if (waiting.length > 0 && !signal.aborted) return firstUp(waiting, signal);
    throw new Error(standing.length === 0 ? 'no link leads there' : 'no link takes the connection', { cause: why });
  }

  /** Datagrams do not wait: who sends them sends them again. */
  openDatagrams(far: { message(bytes: Buffer): void; closed(): void }): DatagramSession | undefined {
    const { neighbours, tunnels } = this.#ways();
    for (const way of [...neighbours, ...tunnels]) {
      const session = way.openDatagrams(far);
      if (session !== undefined) return session;
    }
    return undefined;
  }
}

/** A stream over the first one that comes up; all are waited for at once. */
async function firstUp(tunnels: readonly FarTunnel[], signal: AbortSignal): Promise<Duplex> {
  const enough = new AbortController();
  const either = AbortSignal.any([signal, enough.signal]);
  try {
    const up = await Promise.any(tunnels.map((tunnel) => tunnel.whenUp(either).then(() => tunnel)));
    return await up.open(signal);
  } catch (error) {
    throw error instanceof AggregateError ? (error.errors[0] as Error) : error;
  } finally {
    enough.abort();
  }
}
