import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type MarketFigures, measureMarket } from '../measure.ts';
import { type Counts, Plan } from '../plan.ts';
import { gasDifferences, sizeName, summaryOf } from '../run.ts';

const few: Counts = {
  blocks: 2,
  each: 3,
  matchBlocks: 1,
  matches: 4,
  confirmBlocks: 2,
  confirmations: 20,
  batch: 5,
  idleBlocks: 1,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-market-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const measure = (size: number, checkInvariants: boolean): Promise<MarketFigures> =>
  measureMarket({ folder: join(folder, `${size}`), size, counts: few, cacheMb: 8, checkInvariants });

test('a market that was filled keeps every invariant of a chain, and gas is that of a larger one', async () => {
  const [small, larger] = [await measure(150, true), await measure(400, false)];
  expect(gasDifferences([small, larger])).toEqual([]);
  expect(Object.keys(small.gas)).toEqual([
    'MsgSubmitDeployment',
    'MsgSubmitFulfillment',
    'MsgSubmitLeaseConfirmation',
    'MsgUpdateUsage',
    'MsgCancelDeployment',
    'MsgSubmitLeaseConfirmations',
  ]);
  const { block_ms, matches_per_s, confirmations_per_s } = summaryOf([small, larger]);
  expect(Object.keys(block_ms)).toEqual(['1.5e2', '4e2']);
  for (const figure of [...Object.values(block_ms), matches_per_s, confirmations_per_s])
    expect(figure).toBeGreaterThan(0);
}, 120_000);

test('gas that differs is named with both sizes', () => {
  const at = (size: number, most: string): MarketFigures =>
    ({ size, gas: { MsgA: ['1', most] } }) as unknown as MarketFigures;
  expect(gasDifferences([at(1_000, '2'), at(10_000, '3')])).toEqual(['MsgA: 1–2 at 1e3, 1–3 at 1e4']);
});

test('a plan touches an order or a lease once, whatever it does with it', () => {
  const plan = new Plan(40, few);
  const blocks = Array.from({ length: plan.mixedBlocks }, (_, block) => block);
  const closed = blocks.flatMap((block) => plan.closes(block));
  const leases = [...closed, ...blocks.flatMap((block) => plan.leases(block)), ...plan.confirmed()];
  const orders = [
    ...closed,
    ...plan.due.keys(),
    ...new Set(blocks.flatMap((block) => plan.bids(block).map((one) => one.index))),
  ];
  for (const touched of [leases, orders]) expect(new Set(touched).size).toBe(touched.length);
  expect(plan.due.size).toBe(plan.mixedBlocks * few.each + few.matchBlocks * few.matches);
});

test('a market too small for the blocks is refused', () => {
  expect(() => new Plan(10, few)).toThrow('too small');
  expect(sizeName(1_000_000)).toBe('1e6');
});
