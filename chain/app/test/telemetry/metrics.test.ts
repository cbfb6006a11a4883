import { describe, expect, test } from '@jest/globals';
import type { Application } from '@mu/abci/application';
import {
  CheckTxType,
  RequestCheckTx,
  RequestFinalizeBlock,
  ResponseCheckTx,
  ResponseCommit,
  ResponseFinalizeBlock,
} from 'cosmjs-types/tendermint/abci/types';
import { MeteredApplication } from '../../src/telemetry/metered-application.ts';
import { metricTable, NodeMetrics, type StoreFigures } from '../../src/telemetry/metrics.ts';

const figures: StoreFigures = {
  nodes: 41,
  bytes: 4096,
  versions: 3,
  oldest: 7,
  caches: {
    decode: { hits: 1, misses: 2 },
    signature: { hits: 3, misses: 4 },
    tree_nodes: { hits: 5, misses: 6 },
  },
  snapshot: { height: 6n, takenAtMs: 10_000 },
};

/** Samples by name and labels, `name{a="b"}` → value. */
async function samples(metrics: NodeMetrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** An application of three answers; each takes as long as the test says. */
function scripted(later: boolean): Application {
  const reply = <T>(value: T): T | Promise<T> => (later ? Promise.resolve(value) : value);
  return {
    checkTx: ({ tx }: RequestCheckTx) => reply(ResponseCheckTx.fromPartial({ code: tx[0] ?? 0 })),
    finalizeBlock: () =>
      reply(ResponseFinalizeBlock.fromPartial({ txResults: [{ code: 0 }, { code: 0 }, { code: 5 }] })),
    commit: () => reply(ResponseCommit.fromPartial({})),
    prepareProposal: () => {
      throw new Error('not this time');
    },
  } as unknown as Application;
}

describe.each([
  ['at once', false],
  ['later', true],
])('an application that answers %s', (_when, later) => {
  test('is counted and timed, and its answers are its own', async () => {
    let now = 1000;
    const metrics = new NodeMetrics({ clock: () => 20_000, figures: async () => figures });
    const app = new MeteredApplication(scripted(later), metrics, () => (now += 500));
    const check = (type: CheckTxType, code: number) =>
      app.checkTx(RequestCheckTx.fromPartial({ tx: new Uint8Array([code]), type }));
    const reply = check(CheckTxType.NEW, 0);
    expect(reply instanceof Promise).toBe(later);
    expect((await reply).code).toBe(0);
    await check(CheckTxType.NEW, 9);
    await check(CheckTxType.RECHECK, 0);
    await app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 8n }));
    await app.commit();
    const found = await samples(metrics);
    const expected: Record<string, number> = {
      'mu_mempool_checks_total{kind="new",result="accepted"}': 1,
      'mu_mempool_checks_total{kind="new",result="refused"}': 1,
      'mu_mempool_checks_total{kind="recheck",result="accepted"}': 1,
      'mu_mempool_checks_total{kind="recheck",result="refused"}': 0,
      'mu_transactions_total{result="ok"}': 2,
      'mu_transactions_total{result="failed"}': 1,
      mu_block_height: 8,
      mu_block_committed_timestamp_seconds: 20,
      'mu_block_phase_seconds_count{phase="finalize"}': 1,
      'mu_block_phase_seconds_sum{phase="finalize"}': 0.5,
      'mu_block_phase_seconds_sum{phase="commit"}': 0.5,
      mu_state_tree_nodes: 41,
      mu_state_bytes: 4096,
      mu_state_versions: 3,
      mu_state_oldest_height: 7,
      mu_snapshot_height: 6,
      mu_snapshot_age_seconds: 10,
      'mu_cache_lookups_total{cache="signature",result="hit"}': 3,
      'mu_cache_lookups_total{cache="tree_nodes",result="miss"}': 6,
    };
    for (const [name, value] of Object.entries(expected)) expect([name, found.get(name)]).toEqual([name, value]);
  });

  test('its failure is the caller’s, and no time is noted for it', async () => {
    const metrics = new NodeMetrics({ clock: () => 0 });
    const app = new MeteredApplication(scripted(later), metrics);
    expect(() => app.prepareProposal({} as never)).toThrow('not this time');
    expect((await samples(metrics)).has('mu_block_phase_seconds_count{phase="prepare"}')).toBe(false);
  });
});

test('the figures are those of the moment: nothing is counted twice', async () => {
  const metrics = new NodeMetrics({ clock: () => 0, figures: async () => ({ ...figures, snapshot: undefined }) });
  await metrics.text();
  const found = await samples(metrics);
  expect(found.get('mu_cache_lookups_total{cache="decode",result="miss"}')).toBe(2);
  expect(found.get('mu_snapshot_height')).toBe(0);
  expect(found.has('mu_snapshot_age_seconds')).toBe(false);
});

test('every metric of the table is served with its type and help, and no other of ours', async () => {
  const metrics = new NodeMetrics({ clock: () => 0, figures: async () => figures });
  const text = await metrics.text();
  const served = [...text.matchAll(/^# TYPE (mu_\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  expect(served.sort()).toEqual(metricTable.map(({ name, type }) => `${name} ${type}`).sort());
  for (const { name, help } of metricTable) expect(text).toContain(`# HELP ${name} ${help}\n`);
  expect(text).toContain('process_resident_memory_bytes');
});
