import { expect, test } from '@jest/globals';
import { Lease, LeaseState } from '@mu/proto/market';
import { type LeaseEffect, type LeaseEvent, type LeaseLife, step } from '../../src/leases/lease-machine.ts';

const rules = { confirmEveryBlocks: 10n };
const lease = (change: Partial<Lease> = {}): Lease =>
  Lease.fromPartial({
    number: 3n,
    state: LeaseState.LEASE_STATE_ACTIVE,
    createdHeight: 5n,
    paidThrough: 5n,
    ...change,
  });

/** Plays events and gives the last life and the effects of each. */
function play(events: readonly LeaseEvent[]): { life: LeaseLife | undefined; effects: string[][] } {
  let life: LeaseLife | undefined;
  const effects = events.map((event) => {
    const [next, done] = step(life, event, rules);
    life = next;
    return done.map((effect: LeaseEffect) => effect.type);
  });
  return { life, effects };
}

test('a new lease is confirmed at once, started when its manifest is there, and confirmed with its endpoints', () => {
  const { life, effects } = play([
    { type: 'lease', lease: lease() },
    { type: 'height', height: 6n },
    { type: 'height', height: 7n },
    { type: 'confirmed', height: 7n },
    { type: 'manifest', revision: 1n },
    { type: 'manifest', revision: 1n },
    { type: 'started', revision: 1n, endpoints: ['http://a'] },
    { type: 'height', height: 8n },
    { type: 'confirmed', height: 8n },
    { type: 'height', height: 9n },
    { type: 'height', height: 18n },
  ]);
  expect(effects).toEqual([[], ['confirm'], [], [], ['start'], [], [], ['confirm'], [], [], ['confirm']]);
  expect(life?.work).toEqual({ at: 'running', revision: 1n, endpoints: ['http://a'] });
});

test('a confirmation that failed is sent again with the next block', () => {
  const { effects } = play([
    { type: 'lease', lease: lease({ firstConfirmedHeight: 6n, paidThrough: 6n }) },
    { type: 'height', height: 20n },
    { type: 'confirm-failed' },
    { type: 'height', height: 21n },
  ]);
  expect(effects.map(([effect]) => effect)).toEqual([undefined, 'confirm', undefined, 'confirm']);
});

test('a lease that is over is stopped, and one that was never known is not', () => {
  const over = lease({ state: LeaseState.LEASE_STATE_BROKEN });
  expect(
    play([
      { type: 'lease', lease: lease() },
      { type: 'lease', lease: over },
    ]),
  ).toEqual({ life: undefined, effects: [[], ['stop']] });
  expect(play([{ type: 'lease', lease: over }])).toEqual({ life: undefined, effects: [[]] });
});

test('out of funds pauses the work, a deposit resumes it', () => {
  const { effects } = play([
    { type: 'lease', lease: lease() },
    { type: 'manifest', revision: 2n },
    { type: 'started', revision: 2n, endpoints: [] },
    { type: 'lease', lease: lease({ state: LeaseState.LEASE_STATE_OUT_OF_FUNDS, manifestRevision: 2n }) },
    { type: 'manifest', revision: 2n },
    { type: 'lease', lease: lease({ manifestRevision: 2n }) },
  ]);
  expect(effects).toEqual([[], ['start'], [], ['pause'], [], ['start']]);
});

test('a newer manifest is started, an older one is not, a failed start is tried again when the manifest comes again', () => {
  const { effects } = play([
    { type: 'lease', lease: lease() },
    { type: 'manifest', revision: 2n },
    { type: 'start-failed', revision: 2n, reason: 'no room' },
    { type: 'manifest', revision: 2n },
    { type: 'started', revision: 2n, endpoints: [] },
    { type: 'manifest', revision: 1n },
    { type: 'manifest', revision: 3n },
  ]);
  expect(effects).toEqual([[], ['start'], [], ['start'], [], [], ['start']]);
});
