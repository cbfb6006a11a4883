/** The short form of the simulation, as tests run it. */
import { expect } from '@jest/globals';
import { type Done, type SimulationOptions, simulate } from '../run.ts';

/** Runs it and expects that the two agree. */
export function agree(options: SimulationOptions): Done {
  const result = simulate(options);
  if ('path' in result) throw new Error(`seed ${result.seed}, chain ${result.chain}: ${JSON.stringify(result)}`);
  expect(result.messages).toBe(options.messages);
  return result;
}

/** What a run of some thousand messages always meets: leases by state and reason, bids, payments, hand-overs. */
export function expectDeep({ met, crashes, restarts, exports, refused, messages }: Done): void {
  const reasons = [1, 2, 3, 4, 7, 8, 9, 10, 11, 12].map((reason) => `lease/4/${reason}`);
  const bids = ['bid/2/0', 'bid/3/1', 'bid/3/2', 'bid/3/3', 'bid/4/0'];
  const money = ['line/1', 'line/1/unpaid', 'line/2', 'escrow/3', 'interest'];
  const all = [...reasons, 'lease/3/5', 'lease/3/6', 'replacing order', ...bids, ...money];
  expect(all.filter((what) => met[what] === undefined)).toEqual([]);
  for (const count of [crashes, restarts, exports]) expect(count).toBeGreaterThan(0);
  expect(refused / messages).toBeLessThan(0.4);
}
