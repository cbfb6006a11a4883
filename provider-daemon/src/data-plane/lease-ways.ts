/** The ways of one lease at the data plane: relays between its workloads and from outside, and the resolvers of its networks. */
import { InstanceRoute } from '../network/instance-route.ts';
import { listenTcp, type Relay } from '../network/relay.ts';
import { Resolver, type ResolverTable, type UpstreamAddress } from '../network/resolver.ts';
import { listenUdp } from '../network/udp-relay.ts';
import type { Quantity } from '../usage/counters.ts';
import { WorkloadError } from '../workloads/driver.ts';
import { drainMs, type ServedNames, type ServedRelay, type ServedWays, type ServedWorkload } from './plane.ts';
import type { RelayTally } from './relay-tally.ts';

/** Where resolvers listen (RFC 1035 4.2). */
const dnsPort = 53;

interface OpenRelay {
  wish: ServedRelay;
  readonly relay: Relay;
  readonly route: InstanceRoute;
  /** Bytes that have been taken for the bill: never falls, though the relay's sum does where a client goes that has not taken all. */
  taken: bigint;
}

export interface LeaseWaysOptions {
  /** Asked for names that are not ours, for workloads that may go out. */
  readonly upstreams: readonly UpstreamAddress[];
  /** 53 but for tests. */
  readonly dnsPort?: number;
}

export class LeaseWays {
  readonly #options: LeaseWaysOptions;
  readonly #tally: RelayTally;
  readonly #relays = new Map<string, OpenRelay>();
  readonly #resolvers = new Map<string, Resolver>();
  #workloads: readonly ServedWorkload[] = [];
  /** Of relays that have closed, not yet taken. */
  #left: Quantity[] = [];

  constructor(options: LeaseWaysOptions, tally: RelayTally) {
    this.#options = options;
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

  /** Where the workloads answer now. Open connections stay. */
  place(workloads: readonly ServedWorkload[]): void {
    this.#workloads = workloads;
    for (const open of this.#relays.values()) this.#aim(open);
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
      this.#aim(known);
      return;
    }
    const { listen, protocol } = wish;
    const route = new InstanceRoute();
    const relay = await listening(key, () =>
      protocol === 'tcp' ? listenTcp({ listen, route }) : listenUdp({ listen, route }),
    );
    const open: OpenRelay = { wish, relay, route, taken: 0n };
    this.#relays.set(key, open);
    this.#tally.add(relay);
    this.#aim(open);
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

  #aim({ wish, route }: OpenRelay): void {
    const { service, port } = wish.to;
    const instances = this.#workloads.find((one) => one.service === service)?.instances ?? [];
    route.update(instances.filter(({ ready }) => ready).map(({ address }) => ({ address, port })));
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
    const why = error instanceof Error ? error.message : String(error);
    throw new WorkloadError('failed', `${what} cannot be listened at: ${why}`);
  }
}
