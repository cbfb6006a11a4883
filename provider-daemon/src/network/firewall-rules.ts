/**
 * The provider's nftables rules as text, from nothing but the networks: whoever reads the text knows what holds.
 *
 * One table in the family `inet` and one in `bridge`, both replaced whole in one transaction; only named counters outlive
 * it. The sets `open` and `services` are read back before: they say what holds where nobody has said otherwise yet. They begin before the chains of Docker's own iptables (priority 0) and only ever
 * drop: what they let pass, Docker's chains and the host's own firewall judge again. Docker lets containers of a bridge
 * out and answers in, so nothing has to be added to DOCKER-USER.
 */
import { reservedSubnets } from './ipv4.ts';
import type { OfferedService } from './networks.ts';

/** Connections that a network may hold open to public addresses: the host's table of them is finite, and everybody's. */
export const maxFlowsPerNetwork = 16_384;
/** Mail to other people's servers: never, whatever the egress. */
const mailPort = 25;
/** Before Docker's and the host's filters (0) … */
const early = -10;
/** … and after them: counted is what they let pass. */
const late = 200;

export interface FirewallNetwork {
  readonly bridge: string;
  /** `a.b.c.d/prefix`. */
  readonly subnet: string;
  readonly gateway: string;
  readonly egress: 'none' | 'public';
  /** Of the counter: networks of one workload are counted together. */
  readonly counter: string;
}

/** What a counter has counted. */
export interface Count {
  readonly packets: bigint;
  readonly bytes: bigint;
}

export interface FirewallPlan {
  readonly table: string;
  /** All bridges of the provider begin so, those that `networks` leaves out too. */
  readonly bridgePrefix: string;
  readonly networks: readonly FirewallNetwork[];
  readonly services: ReadonlyArray<OfferedService & { readonly bridge: string }>;
  /** Further addresses that no workload may reach, as subnets: the provider's own. */
  readonly denied: readonly string[];
  /** Where the counters begin that do not stand yet. One that stands goes on as it is. */
  readonly counts: ReadonlyMap<string, Count>;
  /** Counters that stand and that no network has any more. */
  readonly staleCounters: readonly string[];
}

/** @returns the input of `nft -f -`; without any network it leaves nothing behind */
export function renderFirewall(plan: FirewallPlan): string {
  if (plan.networks.length === 0) {
    const tables = [`inet ${plan.table}`, `bridge ${plan.table}`];
    return tables.map((table) => `add table ${table}\ndelete table ${table}\n`).join('');
  }
  return `${[...renderInet(plan), ...renderBridge(plan)].join('\n')}\n`;
}

const set = (elements: readonly string[]): string => `{ ${elements.join(', ')} }`;

function renderInet(plan: FirewallPlan): string[] {
  const table = `inet ${plan.table}`;
  const chain = (name: string, hook: string | undefined, rules: readonly string[]): string[] => [
    `add chain ${table} ${name}${hook === undefined ? '' : ` { type ${hook}; policy accept; }`}`,
    ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
  ];
  const ours = `"${plan.bridgePrefix}*"`;
  const subnets = plan.networks.map((network) => network.subnet);
  const open = plan.networks.filter((network) => network.egress === 'public');
  return [
    `add table ${table}`,
    `flush table ${table}`,
    ...renderObjects(plan, table),
    ...chain('to_host', undefined, toHost(plan)),
    ...chain('outward', undefined, outward(plan, open)),
    ...chain('inward', undefined, ['ct direction reply ct state established,related accept', 'drop']),
    ...chain('input', `filter hook input priority ${early}`, [
      `iifname ${ours} jump to_host`,
      // The host answers for its addresses on any interface: a neighbour with a route must not get at ours.
      `iifname != "lo" ip daddr ${set(subnets)} drop`,
    ]),
    ...chain('forward', `filter hook forward priority ${early}`, [
      `iifname ${ours} jump outward`,
      `oifname ${ours} jump inward`,
    ]),
    ...chain(
      'counted',
      `filter hook forward priority ${late}`,
      open.length === 0
        ? []
        : [`counter name iifname map ${set(open.map(({ bridge, counter }) => `"${bridge}" : "${counter}"`))}`],
    ),
    ...chain(
      'source',
      'nat hook postrouting priority srcnat',
      open.length === 0 ? [] : [`ip saddr ${set(open.map((network) => network.subnet))} oifname != ${ours} masquerade`],
    ),
  ];
}

/** Counters and sets, which a flush of the table leaves alone. */
function renderObjects(plan: FirewallPlan, table: string): string[] {
  const counters = [...new Set(plan.networks.map((network) => network.counter))];
  const services = plan.services.map(
    ({ bridge, address, protocol, port }) => `"${bridge}" . ${address} . ${protocol} . ${port}`,
  );
  const open = plan.networks.flatMap(({ bridge, egress }) => (egress === 'public' ? [`"${bridge}"`] : []));
  return [
    ...plan.staleCounters.map((name) => `delete counter ${table} ${name}`),
    ...counters.map((name) => {
      const { packets, bytes } = plan.counts.get(name) ?? { packets: 0n, bytes: 0n };
      return `add counter ${table} ${name} { packets ${packets} bytes ${bytes} }`;
    }),
    `add set ${table} services { type ifname . ipv4_addr . inet_proto . inet_service; }`,
    `flush set ${table} services`,
    ...(services.length > 0 ? [`add element ${table} services ${set(services)}`] : []),
    `add set ${table} open { type ifname; }`,
    `flush set ${table} open`,
    ...(open.length > 0 ? [`add element ${table} open ${set(open)}`] : []),
    `add set ${table} flows { type ifname; flags dynamic; size 65535; }`,
  ];
}

/** A bridge that is not known has no addresses, so everything from it is dropped. */
function antiSpoofing({ networks }: FirewallPlan): string {
  return `iifname . ip saddr != ${set(networks.map(({ bridge, subnet }) => `"${bridge}" . ${subnet}`))} drop`;
}

function toHost(plan: FirewallPlan): string[] {
  const resolvers = plan.networks.map(({ bridge, gateway }) => `"${bridge}" . ${gateway}`);
  return [
    'meta nfproto ipv6 drop',
    antiSpoofing(plan),
    'ct state invalid drop',
    'ct state established,related accept',
    `iifname . ip daddr ${set(resolvers)} meta l4proto { tcp, udp } th dport 53 accept`,
    'iifname . ip daddr . meta l4proto . th dport @services accept',
    'drop',
  ];
}

/** No early accept for what is established: where a network's way out is taken away, its connections end too. */
function outward(plan: FirewallPlan, open: readonly FirewallNetwork[]): string[] {
  if (open.length === 0) return ['drop'];
  return [
    'meta nfproto ipv6 drop',
    antiSpoofing(plan),
    'ct state invalid drop',
    'iifname != @open drop',
    `ip daddr ${set(reservedSubnets)} drop`,
    ...(plan.denied.length > 0 ? [`ip daddr ${set(plan.denied)} drop`] : []),
    'meta l4proto != { tcp, udp, icmp } drop',
    `tcp dport ${mailPort} drop`,
    `ct state new add @flows { iifname ct count over ${maxFlowsPerNetwork} } drop`,
    'accept',
  ];
}

/**
 * Frames between two containers of one bridge never reach the tables above where the kernel does not hand them over
 * (br_netfilter); ARP never does. Asking for an address of another network is not answered either.
 */
function renderBridge(plan: FirewallPlan): string[] {
  const table = `bridge ${plan.table}`;
  const subnets = set(plan.networks.map((network) => network.subnet));
  const drops = ['ip saddr', 'ip daddr', 'arp saddr ip', 'arp daddr ip'];
  return [
    `add table ${table}`,
    `flush table ${table}`,
    `add chain ${table} forward { type filter hook forward priority ${early}; policy accept; }`,
    `add chain ${table} input { type filter hook input priority ${early}; policy accept; }`,
    ...drops.map((field) => `add rule ${table} forward ${field} ${subnets} drop`),
    `add rule ${table} input arp saddr ip ${subnets} arp daddr ip != ${subnets} drop`,
  ];
}
