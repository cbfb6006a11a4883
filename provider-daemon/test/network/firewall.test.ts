import { describe, expect, it } from '@jest/globals';
import { NftFirewall } from '../../src/network/firewall.ts';
import { type FirewallPlan, renderFirewall } from '../../src/network/firewall-rules.ts';
import { reservedSubnets } from '../../src/network/ipv4.ts';

const web = { bridge: 'muabcd111111111', subnet: '10.213.0.0/29', gateway: '10.213.0.1', counter: 'sent_web' } as const;
const db = { bridge: 'muabcd222222222', subnet: '10.213.0.8/29', gateway: '10.213.0.9', counter: 'sent_db' } as const;

const plan: FirewallPlan = {
  table: 'mu_00000001',
  bridgePrefix: 'muabcd',
  networks: [
    { ...web, egress: 'public' },
    { ...db, egress: 'none' },
  ],
  services: [{ bridge: web.bridge, address: '10.213.0.4', port: 5432, protocol: 'tcp' }],
  denied: ['198.51.100.7'],
  counts: new Map([['sent_web', { packets: 3n, bytes: 300n }]]),
  staleCounters: ['sent_gone'],
};

describe('rules as text', () => {
  it('are these, whole, for a workload with a way out and one without', () => {
    expect(renderFirewall(plan).split('\n')).toEqual([
      'add table inet mu_00000001',
      'flush table inet mu_00000001',
      'delete counter inet mu_00000001 sent_gone',
      'add counter inet mu_00000001 sent_web { packets 3 bytes 300 }',
      'add counter inet mu_00000001 sent_db { packets 0 bytes 0 }',
      'add set inet mu_00000001 services { type ifname . ipv4_addr . inet_proto . inet_service; }',
      'flush set inet mu_00000001 services',
      'add element inet mu_00000001 services { "muabcd111111111" . 10.213.0.4 . tcp . 5432 }',
      'add set inet mu_00000001 open { type ifname; }',
      'flush set inet mu_00000001 open',
      'add element inet mu_00000001 open { "muabcd111111111" }',
      'add set inet mu_00000001 flows { type ifname; flags dynamic; size 65535; }',
      'add chain inet mu_00000001 to_host',
      'add rule inet mu_00000001 to_host meta nfproto ipv6 drop',
      'add rule inet mu_00000001 to_host iifname . ip saddr != { "muabcd111111111" . 10.213.0.0/29, "muabcd222222222" . 10.213.0.8/29 } drop',
      'add rule inet mu_00000001 to_host ct state invalid drop',
      'add rule inet mu_00000001 to_host ct state established,related accept',
      'add rule inet mu_00000001 to_host iifname . ip daddr { "muabcd111111111" . 10.213.0.1, "muabcd222222222" . 10.213.0.9 } meta l4proto { tcp, udp } th dport 53 accept',
      'add rule inet mu_00000001 to_host iifname . ip daddr . meta l4proto . th dport @services accept',
      'add rule inet mu_00000001 to_host drop',
      'add chain inet mu_00000001 outward',
      'add rule inet mu_00000001 outward meta nfproto ipv6 drop',
      'add rule inet mu_00000001 outward iifname . ip saddr != { "muabcd111111111" . 10.213.0.0/29, "muabcd222222222" . 10.213.0.8/29 } drop',
      'add rule inet mu_00000001 outward ct state invalid drop',
      'add rule inet mu_00000001 outward iifname != @open drop',
      `add rule inet mu_00000001 outward ip daddr { ${reservedSubnets.join(', ')} } drop`,
      'add rule inet mu_00000001 outward ip daddr { 198.51.100.7 } drop',
      'add rule inet mu_00000001 outward meta l4proto != { tcp, udp, icmp } drop',
      'add rule inet mu_00000001 outward tcp dport 25 drop',
      'add rule inet mu_00000001 outward ct state new add @flows { iifname ct count over 16384 } drop',
      'add rule inet mu_00000001 outward accept',
      'add chain inet mu_00000001 inward',
      'add rule inet mu_00000001 inward ct direction reply ct state established,related accept',
      'add rule inet mu_00000001 inward drop',
      'add chain inet mu_00000001 input { type filter hook input priority -10; policy accept; }',
      'add rule inet mu_00000001 input iifname "muabcd*" jump to_host',
      'add rule inet mu_00000001 input iifname != "lo" ip daddr { 10.213.0.0/29, 10.213.0.8/29 } drop',
      'add chain inet mu_00000001 forward { type filter hook forward priority -10; policy accept; }',
      'add rule inet mu_00000001 forward iifname "muabcd*" jump outward',
      'add rule inet mu_00000001 forward oifname "muabcd*" jump inward',
      'add chain inet mu_00000001 counted { type filter hook forward priority 200; policy accept; }',
      'add rule inet mu_00000001 counted counter name iifname map { "muabcd111111111" : "sent_web" }',
      'add chain inet mu_00000001 source { type nat hook postrouting priority srcnat; policy accept; }',
      'add rule inet mu_00000001 source ip saddr { 10.213.0.0/29 } oifname != "muabcd*" masquerade',
      'add table bridge mu_00000001',
      'flush table bridge mu_00000001',
      'add chain bridge mu_00000001 forward { type filter hook forward priority -10; policy accept; }',
      'add chain bridge mu_00000001 input { type filter hook input priority -10; policy accept; }',
      'add rule bridge mu_00000001 forward ip saddr { 10.213.0.0/29, 10.213.0.8/29 } drop',
      'add rule bridge mu_00000001 forward ip daddr { 10.213.0.0/29, 10.213.0.8/29 } drop',
      'add rule bridge mu_00000001 forward arp saddr ip { 10.213.0.0/29, 10.213.0.8/29 } drop',
      'add rule bridge mu_00000001 forward arp daddr ip { 10.213.0.0/29, 10.213.0.8/29 } drop',
      'add rule bridge mu_00000001 input arp saddr ip { 10.213.0.0/29, 10.213.0.8/29 } arp daddr ip != { 10.213.0.0/29, 10.213.0.8/29 } drop',
      '',
    ]);
  });

  it('leave nothing where no network is', () => {
    expect(renderFirewall({ ...plan, networks: [] }).split('\n')).toEqual([
      'add table inet mu_00000001',
      'delete table inet mu_00000001',
      'add table bridge mu_00000001',
      'delete table bridge mu_00000001',
      '',
    ]);
  });

  it('let nobody out where no network may', () => {
    const text = renderFirewall({ ...plan, networks: [{ ...web, egress: 'none' }] });
    expect(text).toContain('outward drop');
    expect(text).not.toContain('masquerade');
    expect(text).not.toContain('outward accept');
    // An empty set would be an error of syntax.
    expect(renderFirewall({ ...plan, services: [], denied: [] })).not.toContain('{  }');
  });
});

/** nft as far as it is asked here: a table that keeps counters and sets. */
class FakeNft {
  table: unknown[] = [];
  readonly applied: string[] = [];
  looks = 0;
  readonly run = async (program: string, args: readonly string[], { input = '' } = {}): Promise<string> => {
    expect(program).toBe('nft');
    if (args.includes('list')) this.looks += 1;
    const name = { table: { family: 'inet', name: plan.table } };
    if (args.includes('tables')) return JSON.stringify({ nftables: this.table.length > 0 ? [name] : [] });
    if (args.includes('list')) return JSON.stringify({ nftables: [{ metainfo: {} }, name, ...this.table] });
    if (args.includes('-f')) this.applied.push(input);
    return '';
  };
}

const counter = (name: string, bytes: number) => ({ counter: { name, packets: 1, bytes, family: 'inet' } });
const sets = (open: string[], services: unknown[]) => [
  { set: { name: 'open', elem: open } },
  { set: { name: 'services', elem: services } },
  { set: { name: 'flows' } },
];

function firewallOver(nft: FakeNft): NftFirewall {
  return new NftFirewall({ table: plan.table, bridgePrefix: plan.bridgePrefix, denied: [], run: nft.run });
}

describe('the firewall', () => {
  it('keeps what the kernel’s table says of networks that nobody speaks of', async () => {
    const nft = new FakeNft();
    const service = { concat: [web.bridge, '10.213.0.4', 'tcp', 5432] };
    nft.table = [counter('sent_web', 7), counter('sent_old', 9), ...sets([web.bridge, 'muabcd999999999'], [service])];
    await firewallOver(nft).apply([web, db]);
    const [text] = nft.applied;
    expect(text).toContain(`open { "${web.bridge}" }`);
    expect(text).toContain(`services { "${web.bridge}" . 10.213.0.4 . tcp . 5432 }`);
    expect(text).toContain('delete counter inet mu_00000001 sent_old');
  });

  it('changes what is said and nothing else', async () => {
    const nft = new FakeNft();
    nft.table = sets([web.bridge], [{ concat: [web.bridge, '10.213.0.4', 'tcp', 5432] }]);
    await firewallOver(nft).apply([web, db], {
      egress: new Map([[db.bridge, 'public']]),
      services: new Map([[web.bridge, [{ address: '10.213.0.5', port: 53, protocol: 'udp' }]]]),
    });
    const [text] = nft.applied;
    expect(text).toContain(`open { "${web.bridge}", "${db.bridge}" }`);
    expect(text).toContain(`services { "${web.bridge}" . 10.213.0.5 . udp . 53 }`);
    expect(text).not.toContain('10.213.0.4');
  });

  it('goes on from what it saw last where somebody has flushed the table', async () => {
    const nft = new FakeNft();
    const firewall = firewallOver(nft);
    await firewall.apply([web], {
      egress: new Map([[web.bridge, 'public']]),
      services: new Map([[web.bridge, [{ address: '10.213.0.4', port: 5432, protocol: 'tcp' }]]]),
    });
    nft.table = [counter('sent_web', 70), ...sets([web.bridge], [])];
    expect(await firewall.sentBytes()).toEqual(new Map([['sent_web', 70n]]));
    nft.table = [];
    expect(await firewall.sentBytes()).toEqual(new Map([['sent_web', 70n]]));
    await firewall.apply([web]);
    expect(nft.applied[1]).toContain('sent_web { packets 1 bytes 70 }');
    expect(nft.applied[1]).toContain(`open { "${web.bridge}" }`);
    expect(nft.applied[1]).toContain('10.213.0.4 . tcp . 5432');
  });

  it('looks once for all that ask at the same time', async () => {
    const nft = new FakeNft();
    nft.table = [counter('sent_web', 70)];
    const firewall = firewallOver(nft);
    const asked = await Promise.all(Array.from({ length: 100 }, () => firewall.sentBytes()));
    expect(new Set(asked)).toEqual(new Set([new Map([['sent_web', 70n]])]));
    expect(nft.looks).toBe(2);
    await firewall.sentBytes();
    expect(nft.looks).toBe(4);
  });

  it('forgets the bytes of a network that is gone', async () => {
    const nft = new FakeNft();
    nft.table = [counter('sent_web', 70)];
    const firewall = firewallOver(nft);
    await firewall.apply([]);
    nft.table = [];
    expect(await firewall.sentBytes()).toEqual(new Map());
  });
});
