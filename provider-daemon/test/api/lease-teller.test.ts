import { beforeEach, describe, expect, it } from '@jest/globals';
import { Lease, LeaseState } from '@mu/proto/market';
import { changesOf, InstanceWatch } from '../../src/api/instance-watch.ts';
import { type LeaseEvent, leaseEventTypes } from '../../src/api/lease-events.ts';
import { LeaseTeller } from '../../src/api/lease-teller.ts';
import { type LeaseEvent as LeaseInput, type LeaseLife, step } from '../../src/leases/lease-machine.ts';
import type { InstanceStatus } from '../../src/workloads/driver.ts';

const lease = (state: LeaseState = LeaseState.LEASE_STATE_ACTIVE): Lease => Lease.fromPartial({ number: 7n, state });

describe('steps of a lease as events', () => {
  let told: LeaseEvent[];
  let teller: LeaseTeller;
  let life: LeaseLife;

  beforeEach(() => {
    told = [];
    teller = new LeaseTeller({ emit: (_lease, event) => told.push(event), now: () => 5 });
    life = step(undefined, { type: 'lease', lease: lease() }, { confirmEveryBlocks: 10n })[0] as LeaseLife;
  });

  const play = (...events: LeaseInput[]): void => {
    for (const event of events) {
      const [after] = step(life, event, { confirmEveryBlocks: 10n });
      if (after !== undefined) teller.stepped(7n, { before: life, event, after });
      life = after ?? life;
    }
  };
  const manifest = (revision: bigint): LeaseInput => ({ type: 'manifest', revision });
  const started = (revision: bigint): LeaseInput => ({ type: 'started', revision, endpoints: ['http://a'] });
  const failed = (revision: bigint): LeaseInput => ({ type: 'start-failed', revision, reason: 'no memory' });

  it('tells of a manifest, and who handed it on where its user did not', () => {
    teller.received(7n, 1n);
    teller.received(7n, 2n, ['mu1a', 'mu1b']);
    expect(told).toEqual([
      { type: 'manifest-received', revision: '1' },
      { type: 'manifest-received', revision: '2', from: ['mu1a', 'mu1b'] },
    ]);
  });

  it('tells a start, an update, and one that was rolled back with why', () => {
    play(manifest(1n), started(1n), manifest(2n), started(2n), manifest(3n), failed(3n));
    expect(told).toEqual([
      { type: 'started', revision: '1', endpoints: ['http://a'] },
      { type: 'updated', revision: '2', endpoints: ['http://a'] },
      { type: 'rolled-back', revision: '3', to: '2', reason: 'no memory' },
    ]);
  });

  it('tells a start that failed, want of funds, and the end of it', () => {
    play(manifest(1n), failed(1n), manifest(1n), started(1n));
    play(
      { type: 'lease', lease: lease(LeaseState.LEASE_STATE_OUT_OF_FUNDS) },
      { type: 'lease', lease: lease() },
      started(1n),
    );
    expect(told.map(({ type }) => type)).toEqual(['start-failed', 'started', 'paused', 'resumed', 'started']);
  });

  it('tells the first confirmation, and when it was late and is no longer; not every one', () => {
    const confirm = (height: bigint): LeaseInput[] => [
      { type: 'height', height },
      { type: 'confirmed', height },
    ];
    const miss = (height: bigint): LeaseInput[] => [{ type: 'height', height }, { type: 'confirm-failed' }];
    play(...confirm(10n), ...confirm(20n), ...miss(30n), ...miss(31n), ...confirm(32n), ...confirm(42n));
    expect(told).toEqual([
      { type: 'confirmed', height: '10' },
      { type: 'confirmation-late' },
      { type: 'confirmed', height: '32' },
    ]);
  });

  it('keeps the lines of the start that goes on, and shows them until the next one', () => {
    teller.line(7n, 'web', 'before anything starts');
    play(manifest(1n));
    for (let i = 1; i <= 60; i++) teller.line(7n, 'web', `fetching: ${i} of 60 layers are here`);
    play(started(1n));
    teller.line(7n, 'web', 'call ended after 3 ms by trap');
    expect(teller.progress(7n)).toHaveLength(50);
    expect(teller.progress(7n).at(-1)).toEqual({
      timeMs: 5,
      service: 'web',
      line: 'fetching: 60 of 60 layers are here',
    });
    play(manifest(2n));
    expect(teller.progress(7n)).toEqual([]);
    expect(teller.progress(8n)).toEqual([]);
  });

  it('has every type of event in the list that readers are given', () => {
    expect(new Set(leaseEventTypes).size).toBe(leaseEventTypes.length);
    play(manifest(1n), started(1n));
    for (const { type } of told) expect(leaseEventTypes).toContain(type);
  });
});

describe('instances as they stand, compared', () => {
  const status = (change: Partial<InstanceStatus> = {}): InstanceStatus => ({
    index: 0,
    state: 'ready',
    restarts: 0,
    ...change,
  });
  const types = (...all: InstanceStatus[]): string[] => {
    const events = all.flatMap((now, at) => (at === 0 ? [] : changesOf(all[at - 1], now, 'web')));
    return events.map(({ type }) => type);
  };
  const down = (restarts: number, lastEnd: string) => status({ state: 'backing_off', restarts, lastEnd });
  const up = (restarts: number, lastEnd: string) => status({ restarts, lastEnd });

  it('tells an end and its restart once each, also where both are seen at once, or an end is like the one before', () => {
    expect(types(status(), down(0, 'exit code 3'), up(1, 'exit code 3'))).toEqual(['instance-ended', 'restarted']);
    expect(types(status(), up(1, 'exit code 3'))).toEqual(['instance-ended', 'restarted']);
    expect(types(up(1, 'exit code 3'), down(1, 'exit code 3'), up(2, 'exit code 3'))).toEqual([
      'instance-ended',
      'restarted',
    ]);
    expect(types(status(), status())).toEqual([]);
  });

  it('tells a kill at the memory limit as such', () => {
    const [event] = changesOf(status(), down(0, 'killed at its memory limit'), 'web');
    expect(event).toEqual({ type: 'memory-kill', service: 'web', instance: 0, reason: 'killed at its memory limit' });
  });

  it('tells health that goes and comes back', () => {
    expect(types(status(), status({ state: 'unhealthy' }), status())).toEqual(['unhealthy', 'healthy']);
  });

  it('tells nothing of what was before the first look, nor of an instance that replaced another', () => {
    const events: LeaseEvent[] = [];
    const watch = new InstanceWatch((_lease, event) => events.push(event));
    const look = (...instances: InstanceStatus[]): void =>
      watch.look(7n, new Map([['web', { status: () => instances }]]));
    look(up(5, 'exit code 1'));
    look(status());
    expect(events).toEqual([]);
    look(down(0, 'exit code 2'));
    expect(events).toHaveLength(1);
  });
});
