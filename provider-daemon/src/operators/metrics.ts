/** The figures for Prometheus: read from the daemon when they are asked for, without asking anybody else. */
import { LeaseState } from '@mu/proto/market';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Inventory, Resources } from '../bidding/inventory.ts';
import type { PeerFigures } from '../peers/figures.ts';
import type { PlaneFacts } from './facts.ts';
import { type MetricName, type MetricRow, metricTable } from './metric-table.ts';
import type { OperatorSources } from './sources.ts';
import { expiriesOf, lateBlocks } from './view.ts';

/** A value with its labels. */
type Sample = readonly [value: number, labels?: Readonly<Record<string, string>>];
/** What a metric shows; none: it is absent. */
type Samples = Readonly<Record<MetricName, readonly Sample[]>>;

export class ProviderMetrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<MetricName, Gauge | Counter>();
  readonly #sources: OperatorSources;

  constructor(sources: OperatorSources) {
    this.#sources = sources;
    for (const { name, help, labels, type } of metricTable) {
      const config = { name, help, labelNames: [...labels], registers: [this.#registry] };
      this.#metrics.set(name, type === 'gauge' ? new Gauge(config) : new Counter(config));
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Content type of what `text` gives. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in the text format of Prometheus. */
  async text(): Promise<string> {
    for (const [name, samples] of Object.entries(samplesOf(this.#sources)) as [MetricName, readonly Sample[]][]) {
      this.#show(name, samples);
    }
    return this.#registry.metrics();
  }

  /** Sums are kept elsewhere: a counter is set anew to what they are. */
  #show(name: MetricName, samples: readonly Sample[]): void {
    const metric = this.#metrics.get(name);
    metric?.reset();
    // Without labels what is reset shows 0: one without a value is to be absent.
    if (samples.length === 0 && rowOf(name).labels.length === 0) metric?.remove();
    for (const [value, labels = {}] of samples) {
      if (metric instanceof Counter) metric.inc(labels, value);
      else metric?.set(labels, value);
    }
  }
}

const rowOf = (name: MetricName): MetricRow => metricTable.find((row) => row.name === name) as MetricRow;

function samplesOf(sources: OperatorSources): Samples {
  return {
    ...ofLeases(sources),
    ...ofInventory(sources),
    ...ofChain(sources),
    ...ofWork(sources),
    ...ofManifests(sources.peers()),
    ...ofPlane(sources.facts.get('plane')),
    ...ofLimits(sources),
  };
}

const flag = (is: boolean): readonly Sample[] => [[is ? 1 : 0]];
const known = (value: number | undefined): readonly Sample[] => (value === undefined ? [] : [[value]]);

function ofLeases({ leases, leaseStatus, totals, pendingReports }: OperatorSources) {
  const states = new Map<string, number>();
  const works = ['waiting', 'starting', 'running', 'failed'];
  for (const state of ['active', 'out_of_funds']) for (const work of works) states.set(`${state} ${work}`, 0);
  const all = leases();
  for (const { number, state } of all) {
    const key = `${state === LeaseState.LEASE_STATE_OUT_OF_FUNDS ? 'out_of_funds' : 'active'} ${leaseStatus(number)?.work ?? 'unknown'}`;
    states.set(key, (states.get(key) ?? 0) + 1);
  }
  const gateway = (metric: string): readonly Sample[] =>
    all.map(({ number }) => {
      const own = totals(number).filter((one) => one.metric === metric);
      return [Number(own.reduce((sum, { quantity }) => sum + quantity, 0n)), { lease: number.toString() }];
    });
  return {
    mu_provider_leases: [...states].map(([key, count]): Sample => {
      const [state = '', work = ''] = key.split(' ');
      return [count, { state, work }];
    }),
    mu_provider_gateway_requests_total: gateway('gateway-requests'),
    mu_provider_gateway_bytes_total: gateway('gateway-bytes'),
    mu_provider_usage_reports_pending: known(pendingReports()),
  };
}

const uses = ['offered', 'leased', 'reserved', 'free'] as const;

function byUse(inventory: Inventory, kind: keyof Resources, unit: number): readonly Sample[] {
  return uses.map((use) => [Number(inventory[use][kind]) / unit, { use }]);
}

function ofInventory(sources: OperatorSources) {
  const inventory = sources.inventory();
  const { gpus, openBids, collateral } = inventory;
  const bids = sources.facts.get('bids');
  return {
    mu_provider_bids_open: known(openBids),
    mu_provider_bids_total: Object.entries(bids ?? {}).map(([outcome, count]): Sample => [count, { outcome }]),
    mu_provider_cpu_cores: byUse(inventory, 'cpu', 1000),
    mu_provider_memory_bytes: byUse(inventory, 'memory', 1),
    mu_provider_disk_bytes: byUse(inventory, 'disk', 1),
    mu_provider_gpus: gpus.flatMap((stock) =>
      uses.map((use): Sample => [stock[use], { vendor: stock.vendor, model: stock.model, use }]),
    ),
    mu_provider_collateral_base_units: Object.entries(collateral).map(
      ([holder, amount]): Sample => [Number(amount), { held_by: holder }],
    ),
  };
}

function ofChain({ facts, seen, now, tallies }: OperatorSources) {
  const [node, view, registry, balances] = [
    facts.get('node'),
    facts.get('view'),
    facts.get('registry'),
    facts.get('balances'),
  ];
  const age = (block: { readonly blockTimeMs: number } | undefined): readonly Sample[] =>
    known(block && Math.max(0, (now() - block.blockTimeMs) / 1000));
  return {
    mu_provider_chain_height: known(Number(seen.height)),
    mu_provider_node_height: known(node?.height),
    mu_provider_last_block_age_seconds: age(node),
    mu_provider_light_view_age_seconds: age(view),
    mu_provider_chain_up: flag(node !== undefined && facts.trouble('node') === undefined),
    mu_provider_registered: registry === undefined ? [] : flag(registry.provider !== undefined),
    mu_provider_sequence_resyncs_total: known(tallies.sequenceResyncs),
    mu_provider_transactions_total: Object.entries(tallies.transactions).map(
      ([result, count]): Sample => [count, { result }],
    ),
    mu_provider_balance_base_units: Object.entries(balances ?? {}).map(
      ([account, amount]): Sample => [Number(amount), { account }],
    ),
  };
}

function ofPlane(plane: PlaneFacts | undefined) {
  const { gateway, relays, tunnels, sandboxes } = plane?.figures ?? {};
  const byWord = (words: Readonly<Record<string, number>> | undefined, label: string): readonly Sample[] =>
    Object.entries(words ?? {}).map(([word, count]) => [count, { [label]: word }]);
  return {
    mu_provider_data_plane_up: flag(plane?.up === true),
    mu_provider_data_plane_start_timestamp_seconds: known(
      plane?.startedMs === undefined ? undefined : plane.startedMs / 1000,
    ),
    mu_provider_gateway_connections: known(gateway?.connections),
    mu_provider_gateway_calls: known(gateway?.calls),
    mu_provider_gateway_websockets: known(gateway?.websockets),
    mu_provider_gateway_refused_connections_total: known(gateway?.refusedConnections),
    mu_provider_gateway_refusals_total: byWord(gateway?.refusals, 'reason'),
    mu_provider_relays: known(relays?.relays),
    mu_provider_relay_connections: known(relays?.open),
    mu_provider_relay_connections_total: byWord(
      relays && { accepted: relays.accepted, refused: relays.refused, failed: relays.failed },
      'result',
    ),
    mu_provider_relay_bytes_total: byWord(
      relays && { received: relays.receivedBytes, sent: relays.sentBytes },
      'direction',
    ),
    mu_provider_tunnels: byWord(tunnels && { up: tunnels.up, down: tunnels.down }, 'state'),
    mu_provider_tunnel_streams: known(tunnels?.streams),
    mu_provider_tunnel_streams_total: byWord(tunnels && { opened: tunnels.opened, failed: tunnels.failed }, 'result'),
    mu_provider_tunnel_bytes_total: byWord(
      tunnels && { received: tunnels.receivedBytes, sent: tunnels.sentBytes },
      'direction',
    ),
    mu_provider_tunnel_refused_peers_total: known(tunnels?.refusedPeers),
    mu_provider_sandboxes: known(sandboxes),
  };
}

function ofManifests({ connections, downloads, taken, sentBytes, receivedBytes, dropped, refused }: PeerFigures) {
  const by = (reasons: Readonly<Record<string, number>>): Sample[] =>
    Object.entries(reasons).map(([reason, count]) => [count, { reason }]);
  return {
    mu_provider_manifest_peers: known(connections),
    mu_provider_manifest_downloads: known(downloads),
    mu_provider_manifests_taken_total: known(taken),
    mu_provider_manifest_piece_bytes_total: [
      [sentBytes, { direction: 'sent' }],
      [receivedBytes, { direction: 'received' }],
    ] as const,
    mu_provider_manifest_peers_dropped_total: by(dropped),
    mu_provider_manifest_peers_refused_total: by(refused),
  };
}

function ofWork({ facts, tallies, leases, running }: OperatorSources) {
  const engine = facts.get('engine');
  const states = new Map<string, number>(
    ['starting', 'ready', 'unhealthy', 'backing_off', 'ended'].map((state) => [state, 0]),
  );
  const workloads = leases().flatMap(({ number }) => [...(running(number)?.containers.values() ?? [])]);
  for (const { state } of workloads.flatMap((workload) => workload.status())) {
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  return {
    mu_provider_starts_total: known(tallies.starts.done),
    mu_provider_start_failures_total: [...tallies.starts.failed].map(([reason, count]): Sample => [count, { reason }]),
    mu_provider_instances: [...states].map(([state, count]): Sample => [count, { state }]),
    mu_provider_instance_restarts_total: known(tallies.restarts),
    mu_provider_instance_memory_kills_total: known(tallies.memoryKills),
    mu_provider_container_engine_up: engine === undefined ? [] : flag(engine.up),
  };
}

function ofLimits(sources: OperatorSources) {
  const { leases, seen, isDraining } = sources;
  const ends = expiriesOf(sources);
  const left = leases()
    .filter(({ state }) => state === LeaseState.LEASE_STATE_ACTIVE)
    .map(({ confirmBy }) => Number(confirmBy - seen.height));
  return {
    mu_provider_certificate_expiry_timestamp_seconds: ends.flatMap(({ kind, atMs }): Sample[] =>
      atMs === undefined ? [] : [[atMs / 1000, { certificate: kind }]],
    ),
    mu_provider_entry_expiry_height: ends.flatMap(({ kind, lastHeight }): Sample[] =>
      lastHeight === undefined ? [] : [[Number(lastHeight), { entry: kind }]],
    ),
    mu_provider_confirmations_late_blocks: known(Number(lateBlocks(sources))),
    mu_provider_confirmation_deadline_blocks: left.length === 0 ? [] : known(Math.min(...left)),
    mu_provider_draining: flag(isDraining()),
  };
}
