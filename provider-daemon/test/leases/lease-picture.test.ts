/** The picture of a lease's life in the README is what the machine does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Lease, LeaseState } from '@mu/proto/market';
import { type LeaseEvent, type LeaseLife, step } from '../../src/leases/lease-machine.ts';

const rules = { confirmEveryBlocks: 10n };
const leaseIn = (state: LeaseState): LeaseEvent => ({
  type: 'lease',
  lease: Lease.fromPartial({ number: 1n, state, firstConfirmedHeight: 5n, paidThrough: 5n }),
});

/** Every event that can change the work, under its name in the picture. */
const events: readonly (readonly [string, LeaseEvent])[] = [
  ['lease', leaseIn(LeaseState.LEASE_STATE_ACTIVE)],
  ['out of funds', leaseIn(LeaseState.LEASE_STATE_OUT_OF_FUNDS)],
  ['over', leaseIn(LeaseState.LEASE_STATE_BROKEN)],
  ['manifest', { type: 'manifest', revision: 1n }],
  ['manifest', { type: 'manifest', revision: 2n }],
  ['resume', { type: 'resume', revision: 1n, endpoints: ['http://a'] }],
  ['started', { type: 'started', revision: 1n, endpoints: ['http://a'] }],
  ['started', { type: 'started', revision: 2n, endpoints: ['http://a'] }],
  ['start failed', { type: 'start-failed', revision: 1n, reason: 'why' }],
  ['start failed', { type: 'start-failed', revision: 2n, reason: 'why' }],
  ['retry', { type: 'height', height: 1000n }],
];

const nameOf = (life: LeaseLife | undefined): string => life?.work.at ?? '[*]';

/** All changes of `work` that any events of a few revisions lead to. */
function reachable(): Set<string> {
  const edges = new Set<string>();
  const seen = new Set<string>();
  const open: (LeaseLife | undefined)[] = [undefined];
  for (let life = open.shift(); seen.size < 5_000; life = open.shift()) {
    for (const [name, event] of events) {
      const [next] = step(life, event, rules);
      if (life !== undefined || next !== undefined) {
        if (nameOf(life) !== nameOf(next)) edges.add(`${nameOf(life)} --> ${nameOf(next)}: ${name}`);
      }
      const key = JSON.stringify(next?.work, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part));
      if (next === undefined || seen.has(key)) continue;
      seen.add(key);
      open.push(next);
    }
    if (open.length === 0) break;
  }
  return edges;
}

test('each arrow of the picture is a step of the machine, and each step is an arrow', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const picture = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const drawn = picture.split('\n').flatMap((line) => (line.includes('-->') ? [line.trim()] : []));
  expect([...reachable()].sort()).toEqual([...drawn].sort());
});
