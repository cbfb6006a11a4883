import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { describeWithCometbft } from '../../scripts/lib/with-cometbft.ts';
import { eventually, runCommand } from '../src/process.ts';
import { processesOf } from '../src/processes-of.ts';

jest.setTimeout(180_000);

const demo = join(import.meta.dirname, '..', '..', 'scripts', 'demo');
/** The demo keeps all it makes below the temporary folder: one of our own shows what it leaves behind. */
let temporary: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'mu-demo-test-'));
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

test('two demos at once: the cheaper provider wins, answers and is paid, and nothing stays behind', async () => {
  const run = (name: string) => runCommand(demo, ['--json', '--name', name], { env: { TMPDIR: temporary } });
  const [ada, bob] = await Promise.all([run('Ada'), run('Bob')]);
  for (const [finished, name] of [
    [ada, 'Ada'],
    [bob, 'Bob'],
  ] as const) {
    expect(finished.stderr).toBe('');
    expect(finished.code).toBe(0);
    const lines = finished.stdout.trim().split('\n');
    expect(lines).toHaveLength(1);
    const summary = JSON.parse(lines[0] as string) as {
      bids: { provider: string; state: string; price: string }[];
      winner: string;
      [key: string]: unknown;
    };
    expect(summary).toMatchObject({ demo: 'ok', supply_unchanged: true, answer: expect.stringContaining(name) });
    expect(summary['paid_umu']).toBeGreaterThan(0);
    const prices = summary.bids.map(({ price }) => Number(price));
    const winner = summary.bids.find(({ provider }) => provider === summary.winner);
    expect(winner).toMatchObject({ state: 'matched', price: String(Math.min(...prices)) });
    expect(new Set(prices).size).toBe(2);
  }
  expect(readdirSync(temporary)).toEqual([]);
  expect(processesOf(temporary)).toEqual([]);
});

test('Ctrl-C stops everything and leaves nothing behind', async () => {
  const child = spawn(demo, [], { env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  await eventually('the chain', () => (shown.includes('makes blocks') ? true : undefined));
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(readdirSync(temporary)).toEqual([]);
  expect(processesOf(temporary)).toEqual([]);
});

describeWithCometbft('the demo behind CometBFT', () => {
  test('over three validators: the same outcome, and nothing stays behind', async () => {
    const args = ['--json', '--engine', 'cometbft', '--validators', '3'];
    const finished = await runCommand(demo, args, { env: { TMPDIR: temporary } });
    expect(finished.stderr).toBe('');
    const summary = JSON.parse(finished.stdout) as Record<string, unknown>;
    expect(summary).toMatchObject({ demo: 'ok', supply_unchanged: true });
    expect(readdirSync(temporary)).toEqual([]);
    expect(processesOf(temporary)).toEqual([]);
  });
});
