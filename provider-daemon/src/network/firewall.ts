/** Puts the rules of ./firewall-rules.ts in place, and reads what they have counted. */
import * as z from 'zod';
import { type Count, type FirewallNetwork, type FirewallPlan, renderFirewall } from './firewall-rules.ts';
import type { OfferedService } from './networks.ts';
import { type RunTool, runTool } from './run-tool.ts';

/** What is to change, by bridge. What is not named stays as it is, across restarts of the daemon too. */
export interface FirewallChanges {
  readonly egress?: ReadonlyMap<string, 'none' | 'public'>;
  readonly services?: ReadonlyMap<string, readonly OfferedService[]>;
}

export interface Firewall {
  /** Replaces all rules at once. A network that has not been spoken of has neither a way out nor services. */
  apply(networks: ReadonlyArray<Omit<FirewallNetwork, 'egress'>>, changes?: FirewallChanges): Promise<void>;
  /** Bytes by counter, of all counters that stand; never falls while this object lives. */
  sentBytes(): Promise<ReadonlyMap<string, bigint>>;
}

export interface NftOptions {
  readonly table: string;
  readonly bridgePrefix: string;
  /** Subnets, or single addresses, that no workload may reach beside the reserved ones. */
  readonly denied: readonly string[];
  readonly run?: RunTool;
}

/** What is kept of the kernel's table when its rules change. */
interface Standing {
  readonly counters: readonly string[];
  readonly open: ReadonlySet<string>;
  readonly services: FirewallPlan['services'];
}

/** The parts that are needed of `nft -j list table`; other objects have other keys. */
const listing = z.object({
  nftables: z.array(
    z.object({
      table: z.object({ family: z.string(), name: z.string() }).optional(),
      counter: z.object({ name: z.string(), packets: z.int(), bytes: z.int() }).optional(),
      set: z.object({ name: z.string(), elem: z.array(z.unknown()).optional() }).optional(),
    }),
  ),
});
type Listing = z.infer<typeof listing>['nftables'];
const serviceElement = z.object({
  concat: z.tuple([z.string(), z.string(), z.enum(['tcp', 'udp']), z.int()]),
});

export class NftFirewall implements Firewall {
  readonly #options: NftOptions;
  readonly #run: RunTool;
  /** The last state that was read: where somebody has flushed the host's rules, everything goes on from there. */
  readonly #counts = new Map<string, Count>();
  #last: Standing | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #looking: Promise<ReadonlyMap<string, bigint>> | undefined;

  constructor(options: NftOptions) {
    this.#options = options;
    this.#run = options.run ?? runTool;
  }

  apply(networks: ReadonlyArray<Omit<FirewallNetwork, 'egress'>>, changes: FirewallChanges = {}): Promise<void> {
    return this.#inTurn(() => this.#apply(networks, changes));
  }

  async #apply(
    networks: ReadonlyArray<Omit<FirewallNetwork, 'egress'>>,
    { egress = new Map(), services = new Map() }: FirewallChanges,
  ): Promise<void> {
    const standing = await this.#read();
    const bridges = new Set(networks.map((network) => network.bridge));
    const counters = new Set(networks.map((network) => network.counter));
    for (const name of this.#counts.keys()) if (!counters.has(name)) this.#counts.delete(name);
    const kept = standing.services.filter(({ bridge }) => bridges.has(bridge) && !services.has(bridge));
    const offered = [...services].flatMap(([bridge, list]) => list.map((service) => ({ ...service, bridge })));
    const plan: FirewallPlan = {
      ...this.#options,
      networks: networks.map((network) => ({
        ...network,
        egress: egress.get(network.bridge) ?? (standing.open.has(network.bridge) ? 'public' : 'none'),
      })),
      services: [...kept, ...offered.filter(({ bridge }) => bridges.has(bridge))],
      counts: this.#counts,
      staleCounters: standing.counters.filter((name) => !counters.has(name)),
    };
    await this.#run('nft', ['-f', '-'], { input: renderFirewall(plan) });
    this.#last = {
      counters: [...counters],
      open: new Set(plan.networks.flatMap((network) => (network.egress === 'public' ? [network.bridge] : []))),
      services: plan.services,
    };
  }

  /** Many workloads ask at the same time: they share one look. */
  sentBytes(): Promise<ReadonlyMap<string, bigint>> {
    this.#looking ??= this.#inTurn(() => this.#look()).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<ReadonlyMap<string, bigint>> {
    this.#count(await this.#list('counters'));
    return new Map([...this.#counts].map(([name, { bytes }]) => [name, bytes]));
  }

  /** One after the other: a counter that is deleted meanwhile must not come back with its old count. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Asking for a table that is not there is an error like any other, so it is looked for, where it was not there before. */
  async #list(...what: string[]): Promise<Listing> {
    const { table } = this.#options;
    const list = async (...args: string[]) =>
      listing.parse(JSON.parse(await this.#run('nft', ['-j', 'list', ...args]))).nftables;
    if (this.#last !== undefined) {
      const found = await list(...what, 'table', 'inet', table).catch(() => undefined);
      if (found !== undefined) return found;
    }
    const stands = (await list('tables')).some((entry) => entry.table?.family === 'inet' && entry.table.name === table);
    return stands ? await list(...what, 'table', 'inet', table) : [];
  }

  /** @returns names of the counters that stand */
  #count(entries: Listing): readonly string[] {
    const counters = entries.flatMap(({ counter }) => counter ?? []);
    for (const { name, packets, bytes } of counters) {
      if ((this.#counts.get(name)?.bytes ?? -1n) >= BigInt(bytes)) continue;
      this.#counts.set(name, { packets: BigInt(packets), bytes: BigInt(bytes) });
    }
    return counters.map(({ name }) => name);
  }

  async #read(): Promise<Standing> {
    const nftables = await this.#list();
    const counters = this.#count(nftables);
    const sets = new Map(nftables.flatMap(({ set }) => (set === undefined ? [] : [[set.name, set.elem ?? []]])));
    const services = (sets.get('services') ?? []).map((element) => {
      const [bridge, address, protocol, port] = serviceElement.parse(element).concat;
      return { bridge, address, protocol, port };
    });
    const open = new Set((sets.get('open') ?? []).map((element) => z.string().parse(element)));
    if (sets.size === 0 && this.#last !== undefined) return { ...this.#last, counters };
    return { counters, open, services };
  }
}
