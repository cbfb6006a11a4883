/** The short form of the simulation: the script itself, in processes that run side by side. */
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const script = resolve(import.meta.dirname, '../../simulate-market.ts');

/** Runs the script. @returns its last line, and what it met */
async function simulated(flags: Record<string, number | string>) {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script, ...args], { maxBuffer: 2 ** 26 });
  const met = stderr.trim().split('\n').at(-1) as string;
  return { last: JSON.parse(stdout), met: JSON.parse(met) as Record<string, number> };
}

/** What ten thousand messages always meet: leases by state and reason, bids by fate, payments, hand-overs. */
const deep = [
  ...[1, 2, 3, 4, 8, 9, 10, 11, 12].map((reason) => `lease/4/${reason}`),
  ...['lease/3/5', 'lease/3/6', 'replacing order', 'interest', 'escrow/3'],
  ...['bid/2/0', 'bid/3/1', 'bid/3/2', 'bid/3/3', 'bid/4/0', 'line/1', 'line/1/unpaid', 'line/2'],
];

test('20,000 messages of two seeds do in the application what they do in the model', async () => {
  const runs = await Promise.all([1, 2].map((seed) => simulated({ messages: 10_000, seed })));
  for (const { last, met } of runs) {
    expect(last).toMatchObject({ simulation: 'ok', messages: 10_000 });
    expect(deep.filter((what) => met[what] === undefined)).toEqual([]);
    for (const count of [last.crashes, last.restarts, last.exports]) expect(count).toBeGreaterThan(0);
    expect(last.refused).toBeLessThan(4_000);
  }
}, 300_000);

test('every invariant holds after every message', async () => {
  const flags = { messages: 600, seed: 3, 'chain-messages': 120, invariants: 'message' };
  expect((await simulated(flags)).last).toMatchObject({ simulation: 'ok', messages: 600 });
}, 300_000);
