/** `./scripts/demo --market` tells the truth: it ends well, its coins add up, and nothing stays behind. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { runCommand } from '../src/process.ts';
import { processesOf } from '../src/processes-of.ts';

jest.setTimeout(180_000);

const demo = join(import.meta.dirname, '..', '..', 'scripts', 'demo');
let temporary: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'mu-demo-test-'));
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

interface Summary {
  readonly supply_before: string;
  readonly supply_after: string;
  readonly minted: string;
  readonly burnt: string;
  readonly balances: Readonly<Record<string, string>>;
}

test('the market in half a minute: who wins, who takes over, who is broken, and where every coin is', async () => {
  const finished = await runCommand(demo, ['--market'], { env: { TMPDIR: temporary } });
  expect(finished.stderr).toBe('');
  expect(finished.code).toBe(0);
  const lines = finished.stdout.trim().split('\n');
  const summary = JSON.parse(lines.at(-1) as string) as Summary;
  expect(summary).toMatchObject({ demo: 'ok', winner: 'Boreal', successor: 'Cirrus', broken: 'Echo' });
  expect(summary).toMatchObject({ bills_verified: true, supply_unchanged: false, burnt: '600000000' });
  const { supply_before: before, supply_after: after, minted, burnt, balances } = summary;
  expect(BigInt(minted)).toBeGreaterThan(0n);
  expect(BigInt(before) + BigInt(minted) - BigInt(burnt)).toBe(BigInt(after));
  expect(Object.values(balances).reduce((sum, amount) => sum + BigInt(amount), 0n)).toBe(BigInt(after));
  expect(balances).toMatchObject({ market: '0', billing: '0', provider: '500000000' });
  // Echo lost its collateral and earned for the blocks that it confirmed.
  expect(BigInt(balances['Echo'] as string)).toBeLessThan(1_000_000_000_000n - 3_000_000_000n);
  for (const chapter of [
    'cheapest wins',
    'Until it runs, both serve',
    'begins with breaking the lease',
    'need no trust',
  ])
    expect(finished.stdout).toContain(chapter);
  expect(readdirSync(temporary)).toEqual([]);
  expect(processesOf(temporary)).toEqual([]);
});
