/** The ways of one lease at the data plane: relays between its workloads and from outside, and the resolvers of its networks. */
import { messageOf } from '@mu/lib/error-message';
import { listenTcp, type Relay, type StreamRoute } from '../network/relay.ts';
import { Resolver, type ResolverTable, type UpstreamAddress } from '../network/resolver.ts';
import { type DatagramRoute, listenUdp } from '../network/udp-relay.ts';
import type { Quantity } from '../usage/counters.ts';
import { WorkloadError } from '../workloads/driver.ts';
import { drainMs, type RelayTarget, type ServedNames, type ServedRelay, type ServedWays } from './plane.ts';
import type { RelayTally } from './relay-tally.ts';

/** Where resolvers listen (RFC 1035 4.2). */
const dnsPort = 53;

interface OpenRelay {
  wish: ServedRelay;
  readonly relay: Relay;
  /** Bytes that have been taken for the bill: never falls, though the relay's sum does where a client goes that has not taken all. */
  taken: bigint;
}

export interface LeaseWaysOptions {
  /** Asked for names that are not ours, for workloads that may go out. */
  readonly upstreams: readonly UpstreamAddress[];
  /** 53 but for tests. */
  readonly dnsPort?: number;
}

/** Leads to a workload: own instances, or those that a link leads to. */
export type RouteOf = (to: RelayTarget) => StreamRoute & DatagramRoute;

export class LeaseWays {
  readonly #options: LeaseWaysOptions;
  readonly #routeOf: RouteOf;
  readonly #tally: RelayTally;
  readonly #relays = new Map<string, OpenRelay>();
  readonly #resolvers = new Map<string, Resolver>();
  /** Of relays that have closed, not yet taken. */
  #left: Quantity[] = [];

  constructor(options: LeaseWaysOptions, routeOf: RouteOf, tally: RelayTally) {
    this.#options = options;
    this.#routeOf = routeOf;
    this.#tally = tally;
  }

  /** Opens what does not stand yet. @throws WorkloadError `failed` where an address cannot be listened at */
  async open({ relays, names }: ServedWays): Promise<void> {
    for (const wish of relays) await this.#openRelay(wish);
    for (const wish of names) await this.#openResolver(wish);
  }

  /** Closes what is not named. */
  async keepOnly(ways: ServedWays): Promise<void> {
    const relays = new Set(ways.relays.map(keyOf));
    const resolvers = new Set(ways.names.map(({ address }) => address));
    for (const key of [...this.#relays.keys()]) if (!relays.has(key)) this.#closeRelay(key);
    for (const [address, resolver] of [...this.#resolvers]) {
      if (resolvers.has(address)) continue;
      this.#resolvers.delete(address);
      await resolver.close();
    }
  }

  /** Bytes through metered relays since the last call. */
  takeUsage(): Quantity[] {
    const left = this.#left;
    this.#left = [];
    return [...left, ...[...this.#relays.values()].flatMap(bytesOf)];
  }

  async close(): Promise<void> {
    await this.keepOnly({ relays: [], names: [] });
  }

  async #openRelay(wish: ServedRelay): Promise<void> {
    const key = keyOf(wish);
    const known = this.#relays.get(key);
    if (known !== undefined) {
      known.wish = wish;
      return;
    }
    const { listen, protocol } = wish;
    // Where it leads may be another place at the next connection.
    const at = (): StreamRoute & DatagramRoute => this.#routeOf(open.wish.to);
    const route: StreamRoute & DatagramRoute = {
      open: (signal) => at().open(signal),
      openDatagrams: (far) => at().openDatagrams(far),
    };
    const relay = await listening(key, () =>
      protocol === 'tcp' ? listenTcp({ listen, route }) : listenUdp({ listen, route }),
    );
    const open: OpenRelay = { wish, relay, taken: 0n };
    this.#relays.set(key, open);
    this.#tally.add(relay);
  }

  async #openResolver({ address, names, egress }: ServedNames): Promise<void> {
    const table: ResolverTable = { peers: new Map(Object.entries(names)), egress };
    const known = this.#resolvers.get(address);
    if (known !== undefined) {
      known.update(table);
      return;
    }
    const { upstreams } = this.#options;
    const port = this.#options.dnsPort ?? dnsPort;
    const resolver = await listening(`udp ${address}:${port}`, () =>
      Resolver.listen({ address, port, table, upstreams }),
    );
    this.#resolvers.set(address, resolver);
  }

  /** What is open may finish; what flows until then is counted still. */
  #closeRelay(key: string): void {
    const open = this.#relays.get(key) as OpenRelay;
    this.#relays.delete(key);
    this.#left.push(...bytesOf(open));
    void open.relay.close(drainMs).then(() => {
      this.#left.push(...bytesOf(open));
      this.#tally.remove(open.relay);
    });
  }
}

const keyOf = ({ listen, protocol }: ServedRelay): string => `${protocol} ${listen.address}:${listen.port}`;

function bytesOf(open: OpenRelay): Quantity[] {
  if (!open.wish.metered) return [];
  const { receivedBytes, sentBytes } = open.relay.counters();
  const quantity = receivedBytes + sentBytes - open.taken;
  if (quantity <= 0n) return [];
  open.taken += quantity;
  return [{ service: open.wish.to.service, metric: 'gateway-bytes', quantity }];
}

async function listening<T>(what: string, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    const why = messageOf(error);
    throw new WorkloadError('failed', `${what} cannot be listened at: ${why}`);
  }
}
