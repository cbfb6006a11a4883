import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ChainError } from '@mu/client/chain/errors';
import { type SentTx, TxPendingError } from '@mu/client/chain/sender';
import { LeaseState } from '@mu/proto/market';
import type { Identity } from '../../src/identity/identity.ts';
import type { Facts } from '../../src/operators/facts.ts';
import { metricTable } from '../../src/operators/metric-table.ts';
import { ProviderMetrics } from '../../src/operators/metrics.ts';
import type { OperatorSources } from '../../src/operators/sources.ts';
import { Tallies } from '../../src/operators/tallies.ts';
import { type InstanceStatus, WorkloadError } from '../../src/workloads/driver.ts';
import { configIn, factsOf, identityIn, keeperOf, lease, nowMs, sourcesOf, testFolder } from './fixture.ts';

let own: ReturnType<typeof testFolder>;
let identity: Identity;

beforeAll(async () => {
  own = testFolder();
  identity = await identityIn(own.folder);
});
afterAll(() => own.remove());

function metricsWith(change: Partial<OperatorSources> = {}): ProviderMetrics {
  return new ProviderMetrics(sourcesOf(configIn(own.folder), identity, change));
}

/** Samples by name and labels, `name{a="b"}` → value. */
async function samples(metrics: ProviderMetrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test('every metric of the table is served with a value and its help, and none other of ours', async () => {
  const tallies = new Tallies();
  tallies.starts.failed.set('image', 2);
  const registry = factsOf(configIn(own.folder), identity).registry;
  const text = await metricsWith({
    tallies,
    facts: keeperOf({ ...factsOf(configIn(own.folder), identity), registry }),
  }).text();
  const lines = text.split('\n');
  const named = (pattern: RegExp): string[] => lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  const ours = (names: string[]): string[] =>
    [...new Set(names)].filter((name) => !/^(process|nodejs)_/.test(name)).sort();
  const table = metricTable.map(({ name }) => name).sort();
  expect(ours(named(/^# HELP (\S+) ./))).toEqual(table);
  expect(ours(named(/^(\w+)(?:\{.*\})? \S+$/))).toEqual(table);
  for (const { name, type, help } of metricTable) {
    expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  }
});

test('names follow Prometheus: counters end in _total, gauges do not, units are base units', () => {
  for (const { name, type } of metricTable) {
    expect(name).toMatch(/^mu_provider_[a-z0-9]+(_[a-z0-9]+)*$/);
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
    expect(name).not.toMatch(/_(ms|millis|kib|mib|gib|minutes|hours|days)(_|$)/);
  }
  expect(new Set(metricTable.map(({ name }) => name)).size).toBe(metricTable.length);
});

test('figures are those of the daemon', async () => {
  const found = await samples(metricsWith());
  expect(Object.fromEntries(found)).toMatchObject({
    'mu_provider_leases{state="active",work="running"}': 1,
    'mu_provider_leases{state="out_of_funds",work="running"}': 0,
    'mu_provider_bids_total{outcome="won"}': 3,
    'mu_provider_cpu_cores{use="offered"}': 4,
    'mu_provider_cpu_cores{use="free"}': 3,
    'mu_provider_memory_bytes{use="leased"}': 2 * 2 ** 30,
    'mu_provider_gpus{vendor="nvidia",model="t4",use="free"}': 2,
    'mu_provider_collateral_base_units{held_by="leases"}': 400,
    mu_provider_chain_height: 101,
    mu_provider_last_block_age_seconds: 2,
    mu_provider_light_view_age_seconds: 3,
    'mu_provider_gateway_requests_total{lease="1"}': 11,
    'mu_provider_gateway_bytes_total{lease="1"}': 70,
    'mu_provider_balance_base_units{account="operator"}': 900_000_000,
    mu_provider_confirmations_late_blocks: 0,
    mu_provider_confirmation_deadline_blocks: 39,
    mu_provider_usage_reports_pending: 1,
    mu_provider_data_plane_up: 1,
    mu_provider_data_plane_start_timestamp_seconds: (nowMs - 60_000) / 1000,
    mu_provider_gateway_connections: 7,
    mu_provider_gateway_calls: 3,
    mu_provider_gateway_websockets: 2,
    mu_provider_gateway_refused_connections_total: 4,
    'mu_provider_gateway_refusals_total{reason="busy"}': 6,
    mu_provider_relays: 2,
    mu_provider_relay_connections: 5,
    'mu_provider_relay_connections_total{result="accepted"}': 9,
    'mu_provider_relay_bytes_total{direction="sent"}': 200,
    'mu_provider_tunnels{state="up"}': 3,
    'mu_provider_tunnels{state="down"}': 1,
    mu_provider_tunnel_streams: 6,
    'mu_provider_tunnel_streams_total{result="failed"}': 2,
    'mu_provider_tunnel_bytes_total{direction="sent"}': 400,
    mu_provider_tunnel_refused_peers_total: 8,
    mu_provider_sandboxes: 4,
    'mu_provider_certificate_expiry_timestamp_seconds{certificate="node_certificate"}':
      identity.nodeCertificate.notAfterMs / 1000,
    'mu_provider_entry_expiry_height{entry="node_entry"}': 9_000_000,
    mu_provider_draining: 0,
  });
});

test('what is not known is absent, not 0; what was there and is no more goes', async () => {
  const facts: { -readonly [K in keyof Facts]?: Facts[K] } = { ...factsOf(configIn(own.folder), identity) };
  let leases = [lease(1n), lease(2n, { state: LeaseState.LEASE_STATE_OUT_OF_FUNDS })];
  const metrics = metricsWith({ facts: keeperOf(facts), leases: () => leases });
  const before = await samples(metrics);
  expect(before.has('mu_provider_gateway_requests_total{lease="2"}')).toBe(true);
  expect(before.get('mu_provider_container_engine_up')).toBe(1);
  for (const part of ['node', 'view', 'engine', 'plane', 'balances', 'registry'] as const) delete facts[part];
  leases = [];
  const after = [...(await samples(metrics)).keys()];
  for (const gone of [
    'mu_provider_gateway_requests_total',
    'mu_provider_container_engine_up',
    'mu_provider_last_block_age_seconds',
    'mu_provider_light_view_age_seconds',
    'mu_provider_balance_base_units',
    'mu_provider_registered',
    'mu_provider_confirmation_deadline_blocks',
    'mu_provider_data_plane_start_timestamp_seconds',
    'mu_provider_gateway_calls',
    'mu_provider_gateway_refusals_total',
    'mu_provider_relays',
    'mu_provider_sandboxes',
  ]) {
    expect(after.filter((key) => key.startsWith(gone))).toEqual([]);
  }
  expect((await samples(metrics)).get('mu_provider_data_plane_up')).toBe(0);
});

test('a tenant’s names are no labels: whatever services are called, a lease has one series', async () => {
  const totals = Array.from({ length: 50 }, (_none, at) => ({
    service: `service-${at}`,
    metric: 'gateway-requests',
    quantity: 1n,
  }));
  const keys = [...(await samples(metricsWith({ totals: () => totals }))).keys()];
  expect(keys.filter((key) => key.includes('service-'))).toEqual([]);
  expect(keys.filter((key) => key.startsWith('mu_provider_gateway_requests_total'))).toHaveLength(1);
});

test('a confirmation that is late is told in blocks; one that is out of funds is never late', async () => {
  const late = (change: Parameters<typeof lease>[1]) =>
    samples(metricsWith({ leases: () => [lease(1n), lease(2n, change)] }));
  expect((await late({ paidThrough: 85n, createdHeight: 60n })).get('mu_provider_confirmations_late_blocks')).toBe(6);
  const state = LeaseState.LEASE_STATE_OUT_OF_FUNDS;
  expect((await late({ paidThrough: 5n, createdHeight: 5n, state })).get('mu_provider_confirmations_late_blocks')).toBe(
    0,
  );
});

test('starts, transactions and sequences are counted where they happen, and behave as before', async () => {
  const tallies = new Tallies();
  const outcomes: (Error | undefined)[] = [
    undefined,
    new WorkloadError('image', 'no such image'),
    new Error('out of luck'),
  ];
  const runner = {
    start: async () => {
      const error = outcomes.shift();
      if (error !== undefined) throw error;
      return ['http://a'];
    },
  };
  const ends = [
    undefined,
    new ChainError('failed', { code: 5 }),
    new TxPendingError('later', 'AB'),
    'refused' as const,
  ];
  const sender = {
    send: async (): Promise<SentTx> => {
      const end = ends.shift();
      if (end === 'refused') throw new ChainError('refused', { code: 13 });
      return {
        hash: 'AB',
        committed: async () => {
          if (end !== undefined) throw end;
          return {
            hash: 'AB',
            height: 5,
            code: 0,
            codespace: '',
            log: '',
            gasUsed: 1n,
            data: new Uint8Array(),
            events: [],
          };
        },
      };
    },
  };
  let code = 32;
  const client = {
    simulate: async () => {
      throw new ChainError('wrong sequence', { code: 32 });
    },
    comet: { broadcastTxSync: async () => ({ code, codespace: 'sdk' }) },
  };
  tallies.watch({ runner, sender, client } as unknown as Parameters<Tallies['watch']>[0]);
  expect(await runner.start()).toEqual(['http://a']);
  await expect(runner.start()).rejects.toThrow('no such image');
  await expect(runner.start()).rejects.toThrow('out of luck');
  for (const failing of [false, true, true]) {
    const sent = await sender.send();
    const waiting = Promise.allSettled([sent.committed(), sent.committed()]);
    expect((await waiting).map(({ status }) => status === 'rejected')).toEqual([failing, failing]);
  }
  await expect(sender.send()).rejects.toThrow('refused');
  await expect(client.simulate()).rejects.toThrow('wrong sequence');
  await client.comet.broadcastTxSync();
  code = 0;
  await client.comet.broadcastTxSync();
  const found = await samples(metricsWith({ tallies }));
  expect(Object.fromEntries(found)).toMatchObject({
    mu_provider_starts_total: 1,
    'mu_provider_start_failures_total{reason="image"}': 1,
    'mu_provider_start_failures_total{reason="other"}': 1,
    'mu_provider_transactions_total{result="committed"}': 1,
    'mu_provider_transactions_total{result="failed"}': 1,
    'mu_provider_transactions_total{result="pending"}': 1,
    'mu_provider_transactions_total{result="refused"}': 1,
    mu_provider_sequence_resyncs_total: 2,
  });
});

test('restarts and memory kills of containers are counted once, and not those of before the daemon', () => {
  const tallies = new Tallies();
  let status: InstanceStatus[] = [{ index: 0, state: 'ready', restarts: 7, lastEnd: 'killed at its memory limit' }];
  const containers = new Map([['web', { status: () => status }]]);
  const counts = (): number[] => [tallies.restarts, tallies.memoryKills];
  tallies.look(containers);
  tallies.look(containers);
  expect(counts()).toEqual([0, 0]);
  status = [{ index: 0, state: 'backing_off', restarts: 8, lastEnd: 'killed at its memory limit' }];
  tallies.look(containers);
  tallies.look(containers);
  expect(counts()).toEqual([1, 1]);
  status = [
    { index: 0, state: 'ready', restarts: 9, lastEnd: 'exit code 3' },
    { index: 1, state: 'ready', restarts: 0 },
  ];
  tallies.look(containers);
  expect(counts()).toEqual([2, 1]);
  // Replaced: it counts from 0 again.
  status = [{ index: 0, state: 'ready', restarts: 0 }];
  tallies.look(containers);
  expect(counts()).toEqual([2, 1]);
});
