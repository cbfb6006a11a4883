import { afterEach, describe, expect, test } from '@jest/globals';
import { Pulse } from '../../src/telemetry/health.ts';
import { type RunningTelemetry, startTelemetry, type TelemetryOptions } from '../../src/telemetry/server.ts';

let running: RunningTelemetry | undefined;
afterEach(async () => running?.close());

async function serve(options: Partial<TelemetryOptions>): Promise<string> {
  running = await startTelemetry({
    listen: '127.0.0.1:0',
    metrics: async () => 'mu_block_height 3',
    health: () => ({ ok: true, reason: '', height: 3, block_age_ms: 1 }),
    log: { error: () => undefined },
    ...options,
  });
  return running.url;
}

describe('health', () => {
  test('a node is well while blocks come, and says why it is not', () => {
    let now = 0;
    const pulse = new Pulse({ now: () => now, maxBlockAgeMs: 1000 });
    now = 1000;
    expect(pulse.health()).toEqual({ ok: true, reason: '', height: 0, block_age_ms: 1000 });
    now = 1001;
    expect(pulse.health()).toMatchObject({ ok: false, reason: expect.stringContaining('1001 ms since the start') });
    pulse.committed(7n);
    expect(pulse.health()).toEqual({ ok: true, reason: '', height: 7, block_age_ms: 0 });
    now = 9000;
    expect(pulse.health().reason).toMatch(/^no block was committed for 7999 ms after block 7, more than telemetry\./);
  });

  test('where blocks are made on demand their age says nothing; a failure says all', () => {
    let now = 0;
    const pulse = new Pulse({ now: () => now, maxBlockAgeMs: 0 });
    now = 1e9;
    expect(pulse.health().ok).toBe(true);
    pulse.failed(new Error('the disk is full'));
    pulse.failed(new Error('and more'));
    expect(pulse.health()).toMatchObject({ ok: false, reason: 'the disk is full' });
  });
});

describe('the listener', () => {
  test('serves metrics and health, and nothing else', async () => {
    const url = await serve({});
    const metrics = await fetch(`${url}/metrics`);
    expect([metrics.status, metrics.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    expect(await metrics.text()).toBe('mu_block_height 3\n');
    const health = await fetch(`${url}/health?x=1`);
    expect([health.status, await health.json()]).toEqual([200, { ok: true, reason: '', height: 3, block_age_ms: 1 }]);
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  test('503 with the reason where the node is not well', async () => {
    const url = await serve({ health: () => ({ ok: false, reason: 'no blocks', height: 1, block_age_ms: 9 }) });
    const answer = await fetch(`${url}/health`);
    expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ reason: 'no blocks' })]);
  });

  test('metrics that cannot be collected are said in the log, and the node lives on', async () => {
    const said: string[] = [];
    const url = await serve({
      metrics: () => Promise.reject(new Error('gone')),
      log: { error: (_fields, text) => said.push(text) },
    });
    expect((await fetch(`${url}/metrics`)).status).toBe(500);
    expect(said).toEqual(['metrics could not be collected']);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  test('an address that is taken is named', async () => {
    const url = await serve({});
    const { host } = new URL(url);
    await expect(
      startTelemetry({ listen: host, metrics: async () => '', health: () => ({}) as never, log: { error() {} } }),
    ).rejects.toThrow(`telemetry.prometheus_laddr ${host}: listen EADDRINUSE`);
  });
});
