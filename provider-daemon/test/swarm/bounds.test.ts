/** Whatever peers do, in whatever order: no error, and nothing beyond its bound. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SwarmEffect } from '../../src/swarm/events.ts';
import { swarmLimits } from '../../src/swarm/limits.ts';
import type { SwarmMessage } from '../../src/swarm/messages.ts';
import { Harness } from './harness.ts';

const count = 40;
const names = Array.from({ length: 12 }, (_, at) => `p${at}`);
const peer = fc.constantFrom(...names);
const piece = fc.integer({ min: 0, max: count - 1 });
const perhaps = fc.option(piece, { nil: undefined });
/** A false piece bans its peer: most are true, lest soon nobody be left. */
const mostly = fc.nat(30).map((chance) => chance > 0);

const message: fc.Arbitrary<SwarmMessage> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('grant' as const), piece: perhaps, now: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('have' as const, 'request' as const), piece }) },
  fc.record({ type: fc.constant('cancel' as const), piece }),
  fc.record({ type: fc.constant('decline' as const), piece: perhaps, busy: fc.boolean() }),
  fc.record({ type: fc.constant('want' as const), starving: fc.boolean() }),
  fc.record({ type: fc.constant('refuse' as const), piece, lost: fc.boolean() }),
  fc.constant<SwarmMessage>({ type: 'done' }),
);

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('came' as const), peer }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('message' as const), peer, message }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('arrived' as const), peer, piece, verified: mostly }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('passed' as const), peer, piece }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('answer' as const), nth: fc.nat(), verified: mostly }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('use' as const), nth: fc.nat(), piece }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('written' as const), piece, ok: mostly }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('sent' as const), peer, piece, ok: fc.boolean() }) },
  fc.record({ do: fc.constant('gone' as const), peer }),
  fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 0, max: 9_000 }) }),
);
type Plan = typeof step extends fc.Arbitrary<infer One> ? One : never;
type Step = Exclude<Plan, { do: 'answer' | 'use' }>;

/** What follows from events and effects alone. */
class Ledger {
  readonly asked = new Map<string, Set<number>>();
  readonly sending = new Map<string, Set<number>>();
  readonly writing = new Set<number>();
  /** grants that came out, the newest last: to whom, and for what */
  readonly grants: [string, number | undefined][] = [];

  note(step: Step, effects: readonly SwarmEffect[]): void {
    if (step.do === 'came' || step.do === 'gone') this.#forget(step.peer);
    if (step.do === 'sent') this.#of(this.sending, step.peer).delete(step.piece);
    if (step.do === 'arrived' || step.do === 'passed') this.#of(this.asked, step.peer).delete(step.piece);
    if (step.do === 'written') this.writing.delete(step.piece);
    if (step.do === 'message' && step.message.type === 'refuse') {
      this.#of(this.asked, step.peer).delete(step.message.piece);
    }
    for (const effect of effects) {
      if (effect.type === 'drop') this.#forget(effect.peer);
      else if (effect.type === 'write') this.writing.add(effect.piece);
      else if (effect.type === 'send-piece') this.#of(this.sending, effect.peer).add(effect.piece);
      else if (effect.type === 'send' && effect.message.type === 'grant') {
        this.grants.push([effect.peer, effect.message.piece]);
      } else if (effect.type === 'send' && effect.message.type === 'request') {
        this.#of(this.asked, effect.peer).add(effect.message.piece);
      } else if (effect.type === 'send' && effect.message.type === 'cancel') {
        this.#of(this.asked, effect.peer).delete(effect.message.piece);
      }
    }
  }

  /** A step that answers one of the requests, or uses one of the grants, where the plan is for that. */
  resolve(plan: Plan): Step {
    if (plan.do === 'answer') {
      const asked = [...this.asked].flatMap(([name, set]) => [...set].map((one) => [name, one] as const));
      const [name, one] = asked[plan.nth % asked.length] ?? ['p0', 0];
      return { do: 'arrived', peer: name, piece: one, verified: plan.verified };
    }
    if (plan.do === 'use') {
      const [name, one] = this.grants[plan.nth % this.grants.length] ?? ['p0', 0];
      return { do: 'message', peer: name, message: { type: 'request', piece: one ?? plan.piece } };
    }
    return plan;
  }

  total(kind: 'asked' | 'sending'): number {
    return [...this[kind].values()].reduce((sum, set) => sum + set.size, 0);
  }

  most(kind: 'asked' | 'sending'): number {
    return Math.max(0, ...[...this[kind].values()].map((set) => set.size));
  }

  #of(map: Map<string, Set<number>>, name: string): Set<number> {
    const set = map.get(name) ?? new Set();
    map.set(name, set);
    return set;
  }

  #forget(name: string): void {
    this.asked.delete(name);
    this.sending.delete(name);
  }
}

function carryOut(swarm: Harness, one: Step): SwarmEffect[] {
  if (one.do === 'time') return swarm.pass(one.ms);
  if (one.do === 'came') return swarm.peer(one.peer, 5, 6, 7, 8, 9, 10);
  const { do: type, ...rest } = one;
  return swarm.handle({ type, ...rest } as Parameters<Harness['handle']>[0]);
}

test('requests, copies under way, pieces in memory and peers stay within their bounds', () => {
  let [requests, writes, sends] = [0, 0, 0];
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
      const swarm = new Harness(count, [0, 1, 2, 3, 4, 20, 21, 22]);
      const ledger = new Ledger();
      for (const name of names) {
        ledger.note({ do: 'came', peer: name }, swarm.peer(name, ...[5, 6, 7, 8, 9, 10]));
      }
      const had = new Set([0, 1, 2, 3, 4, 20, 21, 22]);
      for (const plan of steps) {
        const one = ledger.resolve(plan);
        const wasWriting = one.do === 'written' && ledger.writing.has(one.piece);
        const effects = carryOut(swarm, one);
        if (wasWriting && one.do === 'written' && one.ok) had.add(one.piece);
        if (one.do === 'sent' && !one.ok && !swarm.machine.has(one.piece)) had.delete(one.piece);
        ledger.note(one, effects);
        for (const { type } of effects) {
          writes += type === 'write' ? 1 : 0;
          sends += type === 'send-piece' ? 1 : 0;
        }
        requests += effects.filter((effect) => effect.type === 'send' && effect.message.type === 'request').length;
        expect(ledger.total('asked') + ledger.writing.size).toBeLessThanOrEqual(swarmLimits.requests);
        expect(ledger.most('asked')).toBeLessThanOrEqual(swarmLimits.requestsPerPeer);
        expect(ledger.total('sending')).toBeLessThanOrEqual(swarmLimits.uploads);
        expect(ledger.most('sending')).toBeLessThanOrEqual(swarmLimits.queuePerPeer);
        expect(swarm.machine.peers).toBeLessThanOrEqual(names.length);
        // What is had is what was there, and what was written since.
        expect(swarm.machine.had).toBe(had.size);
      }
    }),
    { seed: 1, numRuns: 60 },
  );
  for (const met of [requests, writes, sends]) expect(met).toBeGreaterThan(50);
});
