import { describe, expect, test } from '@jest/globals';
import { swarmLimits } from '@mu/provider-daemon/swarm/limits';
import fc from 'fast-check';
import { type Character, type Mishap, type Scenario, usualPieceBytes, usualScenario } from '../scenario.ts';
import { simulate, World } from '../world.ts';

/** The usual scenario with some peers of another kind, and mishaps. */
function scenario(
  peers: number,
  pieces: number,
  kinds: Readonly<Record<number, Character>>,
  mishaps: readonly Mishap[] = [],
): Scenario {
  const usual = usualScenario(peers, pieces, 1);
  const plans = usual.peers.map((plan, at) => ({ ...plan, character: kinds[at] ?? plan.character }));
  return { ...usual, peers: plans, mishaps, limitMs: 600_000 };
}

test('liars are dropped, and everybody has everything from the others', () => {
  const { lastPeerMs, drops } = simulate(scenario(12, 32, { 1: 'liar', 2: 'liar' }));
  expect(lastPeerMs).toBeDefined();
  expect(drops['false-piece']).toBeGreaterThan(2);
});

test('a liar is dropped once by each peer, and asked by none again', () => {
  const { peers, drops } = simulate(scenario(8, 64, { 1: 'liar' }));
  expect(drops['false-piece']).toBeLessThanOrEqual(7);
  // At most what was under way when the first false piece came.
  for (const { wastedBytes } of peers) expect(wastedBytes).toBeLessThanOrEqual(3 * usualPieceBytes);
});

test('peers that claim everything and give nothing are dropped, and the others go on without them', () => {
  const { lastPeerMs } = simulate(scenario(10, 32, { 1: 'miser', 2: 'miser' }));
  expect(lastPeerMs).toBeLessThan(60_000);
});

test('a peer that asks without leave again and again is dropped by all', () => {
  const { lastPeerMs, drops } = simulate(scenario(8, 128, { 3: 'glutton' }));
  expect(lastPeerMs).toBeDefined();
  expect((drops['unasked'] ?? 0) + (drops['repeats'] ?? 0)).toBeGreaterThanOrEqual(7);
});

test('a slow peer does not hold up the others', () => {
  const usual = scenario(8, 32, {});
  const peers = usual.peers.map((plan, at) => (at === 3 ? { ...plan, up: 20_000 } : plan));
  const [fast, slow] = [simulate(usual), simulate({ ...usual, peers })];
  expect(slow.lastPeerMs).toBeLessThan(2 * (fast.lastPeerMs as number));
});

test('peers that vanish take nothing with them, the first holder neither once all is given', () => {
  const vanish = (peer: number, atMs: number): Mishap => ({ kind: 'vanish', peer, atMs });
  const { lastPeerMs } = simulate(scenario(10, 32, {}, [vanish(4, 1_000), vanish(5, 2_000), vanish(0, 8_000)]));
  expect(lastPeerMs).toBeDefined();
});

test('who restarts goes on with what is on its disk', () => {
  const usual = scenario(3, 64, {});
  const restart = (peer: number): Mishap => ({ kind: 'restart', peer, atMs: 6_000, backMs: 7_000 });
  const mended = simulate({ ...usual, mishaps: [restart(1), restart(2)] });
  const plain = simulate(usual);
  // The pause, and a few pieces that were under way.
  expect((mended.lastPeerMs as number) - (plain.lastPeerMs as number)).toBeLessThan(4_000);
});

test('a partition heals: those without a holder wait, and have everything after', () => {
  const part: Mishap = { kind: 'part', atMs: 500, border: 6, healMs: 30_000 };
  const { lastPeerMs, peers } = simulate(scenario(12, 32, {}, [part]));
  expect(lastPeerMs).toBeGreaterThan(30_000);
  expect(lastPeerMs).toBeLessThan(60_000);
  for (const { peer, doneMs } of peers) if (peer > 0 && peer < 6) expect(doneMs).toBeLessThan(30_000);
});

test('a first holder with a line ten times as fast sends two copies at most', () => {
  const usual = scenario(16, 64, {});
  const peers = usual.peers.map((plan, at) => (at === 0 ? { ...plan, up: 10 * plan.up } : plan));
  const { lastPeerMs, firstHolderCopies } = simulate({ ...usual, peers });
  expect(lastPeerMs).toBeDefined();
  expect(firstHolderCopies).toBeLessThanOrEqual(swarmLimits.thriftCopies);
});

test('several manifests at once: none starves', () => {
  const usual = usualScenario(8, 1, 1);
  const manifests = [[64 * usualPieceBytes], [16 * usualPieceBytes], [usualPieceBytes], [5, 300_000]];
  const { peers } = simulate({ ...usual, manifests, limitMs: 600_000 });
  const last = manifests.map((_, at) =>
    Math.max(...peers.filter(({ manifest }) => manifest === at).map(({ doneMs }) => doneMs ?? Number.NaN)),
  );
  // 85 pieces in all over one line take 11 s at least; the small ones do not wait for the large one.
  expect(last[0]).toBeLessThan(30_000);
  expect(last[1]).toBeLessThan(15_000);
  for (const small of last.slice(2)) expect(small).toBeLessThan(4_000);
});

describe('whatever happens', () => {
  const mishaps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('vanish' as const), peer: fc.integer({ min: 2, max: 4 }), atMs: fc.nat(6_000) }),
      fc
        .record({ peer: fc.integer({ min: 0, max: 9 }), atMs: fc.nat(6_000), awayMs: fc.nat(5_000) })
        .map(({ peer, atMs, awayMs }) => ({ kind: 'restart' as const, peer, atMs, backMs: atMs + 1 + awayMs })),
      fc
        .record({ border: fc.integer({ min: 1, max: 9 }), atMs: fc.nat(6_000), awayMs: fc.nat(5_000) })
        .map(({ border, atMs, awayMs }) => ({ kind: 'part' as const, border, atMs, healMs: atMs + 1 + awayMs })),
    ),
    { maxLength: 4 },
  );
  const kinds = fc.dictionary(
    fc.constantFrom('5', '6', '7'),
    fc.constantFrom<Character>('liar', 'miser', 'glutton', 'honest'),
  );

  test('everybody who stays gets everything, and nothing is had that was not sent true', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), kinds, mishaps, fc.nat(1_000), (pieces, characters, list, seed) => {
        const gone = new Set(list.flatMap((one) => (one.kind === 'vanish' ? [one.peer] : [])));
        const mended = list.filter((one) => one.kind !== 'restart' || !gone.has(one.peer));
        const world = new World({ ...scenario(10, pieces, characters, mended), seed });
        expect(world.run().lastPeerMs).toBeDefined();
        for (const { plan, index, isConsistent } of world.nodes) {
          if (plan.character === 'honest' && !gone.has(index)) expect(isConsistent).toBe(true);
        }
      }),
      { seed: 1, numRuns: 40 },
    );
  });
});
