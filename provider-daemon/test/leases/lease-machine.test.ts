import { expect, test } from '@jest/globals';
import { Lease, LeaseState } from '@mu/proto/market';
import {
  endpointsOf,
  type LeaseEffect,
  type LeaseEvent,
  type LeaseLife,
  maxUpdateTries,
  servedRevision,
  step,
} from '../../src/leases/lease-machine.ts';

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

const running = (revision: bigint, endpoints: string[] = ['http://a']): LeaseEvent[] => [
  { type: 'lease', lease: lease({ firstConfirmedHeight: 6n, paidThrough: 6n }) },
  { type: 'manifest', revision },
  { type: 'started', revision, endpoints },
  { type: 'height', height: 7n },
  { type: 'confirmed', height: 7n },
];

test('while a newer revision starts the old one answers; where it does not come up the old one runs on, and it is tried again a few times', () => {
  const update: LeaseEvent = { type: 'manifest', revision: 2n };
  const fails: LeaseEvent = { type: 'start-failed', revision: 2n, reason: 'unhealthy' };
  const { life: during } = play([...running(1n), update]);
  expect(during?.work).toMatchObject({ at: 'updating', revision: 2n, running: { endpoints: ['http://a'] } });
  const { life: once } = play([...running(1n), update, fails]);
  expect(once?.work).toEqual({
    at: 'running',
    revision: 1n,
    endpoints: ['http://a'],
    refused: { revision: 2n, reason: 'unhealthy', tries: 1, retryAt: 8n },
  });
  const at = (height: bigint): LeaseEvent => ({ type: 'height', height });
  const { life, effects } = play([...running(1n), update, fails, at(8n), fails, at(9n), at(10n), fails, at(1000n)]);
  expect(effects.slice(6).map((list) => list.includes('start'))).toEqual([
    false,
    true,
    false,
    false,
    true,
    false,
    false,
  ]);
  expect(life?.work).toMatchObject({ at: 'running', revision: 1n, refused: { tries: maxUpdateTries } });
  const { life: newer } = play([...running(1n), update, fails, { type: 'manifest', revision: 3n }]);
  expect(newer?.work).toMatchObject({ at: 'updating', revision: 3n, tries: 0 });
});

test('an update that could not be tried while the engine was away is tried when it is back, however long that takes', () => {
  const away: LeaseEvent = { type: 'start-failed', revision: 2n, reason: 'engine away', isAway: true };
  const events: LeaseEvent[] = [...running(1n), { type: 'manifest', revision: 2n }];
  for (let height = 12n; height <= 112n; height += 5n) events.push(away, { type: 'height', height });
  expect(play(events).life?.work).toMatchObject({ at: 'updating', revision: 2n, tries: 0 });
  const fails: LeaseEvent = { type: 'start-failed', revision: 2n, reason: 'unhealthy' };
  expect(play([...events, fails]).life?.work).toMatchObject({ at: 'running', refused: { tries: 1, retryAt: 113n } });
});

test('a first start that failed is tried again for ever, less and less often', () => {
  const events: LeaseEvent[] = [...running(1n).slice(0, 2)];
  const pauses: bigint[] = [];
  let height = 10n;
  for (let tries = 1; tries <= 9; tries += 1) {
    events.push({ type: 'height', height }, { type: 'start-failed', revision: 1n, reason: 'engine away' });
    const work = play(events).life?.work;
    const retryAt = work?.at === 'failed' ? (work.retryAt ?? 0n) : 0n;
    pauses.push(retryAt - height);
    height = retryAt;
  }
  expect(pauses).toEqual([1n, 2n, 4n, 8n, 16n, 32n, 64n, 64n, 64n]);
});

test('after a restart it goes on where it answered; a newer manifest that came meanwhile is an update', () => {
  const resumed: LeaseEvent[] = [
    { type: 'lease', lease: lease({ firstConfirmedHeight: 6n, paidThrough: 6n }) },
    { type: 'resume', revision: 1n, endpoints: ['http://a'] },
  ];
  expect(play(resumed).life?.work).toMatchObject({ at: 'starting', endpoints: ['http://a'] });
  const { effects, life } = play([
    ...resumed,
    { type: 'started', revision: 1n, endpoints: ['http://a'] },
    { type: 'manifest', revision: 2n },
  ]);
  expect(effects).toEqual([[], ['start'], [], ['start']]);
  expect(life?.work.at).toBe('updating');
});

test('after a restart what ran still runs, though it answers nobody by an address; what is started first does not yet', () => {
  const heard: LeaseEvent = { type: 'lease', lease: lease({ firstConfirmedHeight: 6n, paidThrough: 6n }) };
  const served = (event: LeaseEvent) => {
    const { work } = play([heard, event]).life as LeaseLife;
    return [servedRevision(work), endpointsOf(work)];
  };
  expect(served({ type: 'resume', revision: 3n, endpoints: [] })).toEqual([3n, []]);
  expect(served({ type: 'manifest', revision: 3n })).toEqual([0n, []]);
});

test('a lease without funds starts nothing, remembers the newest manifest, and starts that one', () => {
  const broke = lease({ state: LeaseState.LEASE_STATE_OUT_OF_FUNDS });
  const { life, effects } = play([
    { type: 'lease', lease: broke },
    { type: 'manifest', revision: 1n },
    { type: 'manifest', revision: 2n },
    { type: 'started', revision: 1n, endpoints: [] },
    { type: 'lease', lease: lease() },
  ]);
  expect(effects).toEqual([[], [], [], [], ['start']]);
  expect(life?.work).toMatchObject({ at: 'starting', revision: 2n });
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
