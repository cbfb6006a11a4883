/**
 * What a node tells Prometheus: one table of metrics, filled by what reports to it (times of blocks, checks) and by what
 * it asks when it is asked (figures of the store). Reporting costs a few additions: it stands in the way of every check.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Phase = 'prepare' | 'process' | 'finalize' | 'commit';
export type CheckKind = 'new' | 'recheck';

/** How often something was found in a cache. */
export interface CacheFigures {
  readonly hits: number;
  readonly misses: number;
}

/** What the store and the caches can say at any moment. */
export interface StoreFigures {
  /** nodes of all trees on the disk */
  readonly nodes: number;
  /** of the file of the state */
  readonly bytes: number;
  /** kept versions of the state */
  readonly versions: number;
  /** the oldest of them */
  readonly oldest: number;
  readonly caches: Readonly<Record<'decode' | 'signature' | 'tree_nodes', CacheFigures>>;
  /** the newest snapshot; undefined where there is none */
  readonly snapshot?: { readonly height: bigint; readonly takenAtMs: number } | undefined;
}

export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

/** All metrics of Mu's own; beside them stand prom-client's about the process (`process_…`, `nodejs_…`). */
export const metricTable = [
  {
    name: 'mu_block_phase_seconds',
    type: 'histogram',
    help: 'Time of a phase of a block: prepare, process, finalize or commit',
    labels: ['phase'],
  },
  { name: 'mu_block_height', type: 'gauge', help: 'Height of the last block that was committed', labels: [] },
  {
    name: 'mu_block_committed_timestamp_seconds',
    type: 'gauge',
    help: 'When the last block was committed here, in seconds since 1970',
    labels: [],
  },
  {
    name: 'mu_transactions_total',
    type: 'counter',
    help: 'Transactions in blocks, by result: ok or failed',
    labels: ['result'],
  },
  {
    name: 'mu_mempool_checks_total',
    type: 'counter',
    help: 'Checks of transactions for the mempool, by kind (new, recheck) and result (accepted, refused)',
    labels: ['kind', 'result'],
  },
  {
    name: 'mu_cache_lookups_total',
    type: 'counter',
    help: 'Lookups in a cache (decode, signature, tree_nodes), by result: hit or miss',
    labels: ['cache', 'result'],
  },
  { name: 'mu_state_tree_nodes', type: 'gauge', help: 'Nodes of the state trees on the disk', labels: [] },
  { name: 'mu_state_bytes', type: 'gauge', help: 'Size of the LMDB file of the state', labels: [] },
  { name: 'mu_state_versions', type: 'gauge', help: 'Versions of the state that are kept', labels: [] },
  { name: 'mu_state_oldest_height', type: 'gauge', help: 'Oldest version of the state that is kept', labels: [] },
  { name: 'mu_snapshot_height', type: 'gauge', help: 'Height of the newest snapshot; 0 without one', labels: [] },
  {
    name: 'mu_snapshot_age_seconds',
    type: 'gauge',
    help: 'Time since the newest snapshot was taken; absent without one',
    labels: [],
  },
] as const satisfies readonly MetricRow[];

type Name = (typeof metricTable)[number]['name'];
type NameOf<T extends MetricRow['type']> = Extract<(typeof metricTable)[number], { readonly type: T }>['name'];

/** From half a millisecond to half a minute. */
const secondsBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

export interface NodeMetricsOptions {
  /** milliseconds since 1970 */
  readonly clock: () => number;
  /** asked when the metrics are; absent where another program has the store */
  readonly figures?: (() => Promise<StoreFigures>) | undefined;
}

export class NodeMetrics {
  readonly #registry = new Registry();
  readonly #options: NodeMetricsOptions;
  readonly #phases: Histogram;
  readonly #gauges = new Map<string, Gauge>();
  readonly #counters = new Map<string, Counter>();
  /** by kind and result */
  readonly #checks = { new: { accepted: 0, refused: 0 }, recheck: { accepted: 0, refused: 0 } };
  readonly #txs = { ok: 0, failed: 0 };

  constructor(options: NodeMetricsOptions) {
    this.#options = options;
    const registers = [this.#registry];
    const phases = rowOf('mu_block_phase_seconds');
    this.#phases = new Histogram({ ...phases, labelNames: phases.labels, buckets: secondsBuckets, registers });
    for (const { name, help, labels, type } of metricTable) {
      const config = { name, help, labelNames: labels as readonly string[], registers };
      if (type === 'gauge') this.#gauges.set(name, new Gauge(config));
      else if (type === 'counter') this.#counters.set(name, new Counter(config));
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  phase(phase: Phase, seconds: number): void {
    this.#phases.observe({ phase }, seconds);
  }

  checked(kind: CheckKind, accepted: boolean): void {
    this.#checks[kind][accepted ? 'accepted' : 'refused'] += 1;
  }

  executed(codes: readonly { readonly code: number }[]): void {
    for (const { code } of codes) this.#txs[code === 0 ? 'ok' : 'failed'] += 1;
  }

  committed(height: bigint): void {
    this.#set('mu_block_height', Number(height));
    this.#set('mu_block_committed_timestamp_seconds', this.#options.clock() / 1000);
  }

  /** Content type of what `text` gives. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in the text format of Prometheus. */
  async text(): Promise<string> {
    this.#total(
      'mu_transactions_total',
      Object.entries(this.#txs).map(([result, value]) => [{ result }, value]),
    );
    this.#total(
      'mu_mempool_checks_total',
      Object.entries(this.#checks).flatMap(([kind, results]) =>
        Object.entries(results).map(([result, value]): Labelled => [{ kind, result }, value]),
      ),
    );
    const figures = await this.#options.figures?.();
    if (figures !== undefined) this.#takeFigures(figures);
    return this.#registry.metrics();
  }

  #takeFigures({ nodes, bytes, versions, oldest, caches, snapshot }: StoreFigures): void {
    this.#set('mu_state_tree_nodes', nodes);
    this.#set('mu_state_bytes', bytes);
    this.#set('mu_state_versions', versions);
    this.#set('mu_state_oldest_height', oldest);
    this.#set('mu_snapshot_height', Number(snapshot?.height ?? 0n));
    if (snapshot === undefined) this.#gauges.get('mu_snapshot_age_seconds')?.remove();
    else this.#set('mu_snapshot_age_seconds', (this.#options.clock() - snapshot.takenAtMs) / 1000);
    this.#total(
      'mu_cache_lookups_total',
      Object.entries(caches).flatMap(([cache, { hits, misses }]): Labelled[] => [
        [{ cache, result: 'hit' }, hits],
        [{ cache, result: 'miss' }, misses],
      ]),
    );
  }

  #set(name: NameOf<'gauge'>, value: number): void {
    this.#gauges.get(name)?.set(value);
  }

  /** Sums that are kept elsewhere, since the start of the process. */
  #total(name: NameOf<'counter'>, values: readonly Labelled[]): void {
    const counter = this.#counters.get(name);
    counter?.reset();
    for (const [labels, value] of values) counter?.inc(labels, value);
  }
}

type Labelled = readonly [labels: Readonly<Record<string, string>>, value: number];

function rowOf(name: Name): MetricRow {
  return metricTable.find((row) => row.name === name) as MetricRow;
}
