/** Puts the rules of ./firewall-rules.ts in place, and reads what they have counted. */
import * as z from 'zod';
import { type Count, type FirewallNetwork, type FirewallPlan, renderFirewall } from './firewall-rules.ts';
import type { OfferedService } from './networks.ts';
import { type RunTool, runTool } from './run-tool.ts';

/** Services by bridge. */
export type Offers = ReadonlyMap<string, readonly OfferedService[]>;

export interface Firewall {
  /**
   * Replaces all rules at once. Services of networks that `offers` does not name stay as they are: who offers them may
   * not have spoken yet since this process was started.
   */
  apply(networks: readonly FirewallNetwork[], offers: Offers): Promise<void>;
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

/** What of the kernel's table outlives a change of its rules. */
interface Standing {
  readonly counts: ReadonlyMap<string, Count>;
  readonly services: FirewallPlan['services'];
}

/** The parts that are needed of `nft -j list table`; other objects have other keys. */
const listing = z.object({
  nftables: z.array(
    z.object({
      counter: z.object({ name: z.string(), packets: z.int(), bytes: z.int() }).optional(),
      set: z.object({ name: z.string(), elem: z.array(z.unknown()).optional() }).optional(),
    }),
  ),
});
const serviceElement = z.object({
  concat: z.tuple([z.string(), z.string(), z.enum(['tcp', 'udp']), z.int()]),
});

export class NftFirewall implements Firewall {
  readonly #options: NftOptions;
  readonly #run: RunTool;
  /** The highest counts that were seen: where somebody has flushed the host's rules, counting goes on from there. */
  readonly #seen = new Map<string, Count>();

  constructor(options: NftOptions) {
    this.#options = options;
    this.#run = options.run ?? runTool;
  }

  async apply(networks: readonly FirewallNetwork[], offers: Offers): Promise<void> {
    const { table, bridgePrefix, denied } = this.#options;
    const standing = await this.#read();
    const bridges = new Set(networks.map((network) => network.bridge));
    const counters = new Set(networks.map((network) => network.counter));
    const kept = standing.services.filter(({ bridge }) => bridges.has(bridge) && !offers.has(bridge));
    const offered = [...offers].flatMap(([bridge, services]) =>
      bridges.has(bridge) ? services.map((service) => ({ ...service, bridge })) : [],
    );
    for (const name of this.#seen.keys()) if (!counters.has(name)) this.#seen.delete(name);
    const text = renderFirewall({
      table,
      bridgePrefix,
      denied,
      networks,
      services: [...kept, ...offered],
      counts: this.#seen,
      staleCounters: [...standing.counts.keys()].filter((name) => !counters.has(name)),
    });
    await this.#run('nft', ['-f', '-'], { input: text });
  }

  async sentBytes(): Promise<ReadonlyMap<string, bigint>> {
    await this.#read();
    return new Map([...this.#seen].map(([name, { bytes }]) => [name, bytes]));
  }

  /** The table is made where it is missing: asking for one that is not there is an error like any other. */
  async #read(): Promise<Standing> {
    const { table } = this.#options;
    await this.#run('nft', ['add', 'table', 'inet', table]);
    const { nftables } = listing.parse(JSON.parse(await this.#run('nft', ['-j', 'list', 'table', 'inet', table])));
    const counts = new Map<string, Count>();
    const services: Array<FirewallPlan['services'][number]> = [];
    for (const { counter, set } of nftables) {
      if (counter !== undefined) counts.set(counter.name, toCount(counter));
      if (set?.name !== 'services') continue;
      for (const element of set.elem ?? []) {
        const [bridge, address, protocol, port] = serviceElement.parse(element).concat;
        services.push({ bridge, address, protocol, port });
      }
    }
    for (const [name, count] of counts) {
      if ((this.#seen.get(name)?.bytes ?? -1n) < count.bytes) this.#seen.set(name, count);
    }
    return { counts, services };
  }
}

const toCount = ({ packets, bytes }: { packets: number; bytes: number }): Count => ({
  packets: BigInt(packets),
  bytes: BigInt(bytes),
});
