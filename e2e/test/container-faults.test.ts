/**
 * A seeded choice of kill points and short outages, with real programs and the real engine. `MU_FAULTS_SEED` chooses others,
 * `npm run faults` runs all of them.
 */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { faultPoints } from '@mu/provider-daemon/faults/fault-points';
import { describeWithDocker } from '../../provider-daemon/test/support/docker.ts';
import { promisedMs } from '../src/faults/checks.ts';
import { allOutages, allPoints, choose, choosePoints } from '../src/faults/choose.ts';
import { phaseOf } from '../src/faults/kill-points.ts';
import { runKillPoint } from '../src/faults/kill-run.ts';
import { outages, runOutage } from '../src/faults/outages.ts';
import { World } from '../src/faults/world.ts';

jest.setTimeout(180_000);

const seed = Number(process.env['MU_FAULTS_SEED'] ?? '6');
const kills = 8;
const outs = 3;
const outageSeconds = 5;

describe('the choice', () => {
  test('is the same for the same seed, and spread over the phases of a lease', () => {
    expect(choosePoints(seed, kills)).toEqual(choosePoints(seed, kills));
    expect(choosePoints(seed, kills)).toHaveLength(kills);
    expect(new Set(choosePoints(seed, kills).map((point) => phaseOf[point])).size).toBe(kills);
    expect(choosePoints(seed, 1_000)).toEqual(allPoints);
    const many = Array.from({ length: 40 }, (_, i) => choosePoints(i, kills)).flat();
    expect(new Set(many).size).toBeGreaterThan(allPoints.length / 2);
    expect(choose(seed, allOutages, outs)).toHaveLength(outs);
  });
});

describeWithDocker(`kill -9 on the way of a lease, seed ${seed}`, () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(async () => {
    await world?.stop();
  });

  for (const point of choosePoints(seed, kills)) {
    test(`${point}: ${faultPoints[point]}`, async () => {
      const { answersMs, lost } = await runKillPoint(world, point);
      const phase = phaseOf[point];
      // What served before serves on without the daemon; only where the data plane itself dies are requests lost.
      if (!['serve', 'update', 'scale-up', 'scale-down'].includes(phase)) return;
      expect(answersMs).toBeLessThanOrEqual(promisedMs);
      expect(lost).toBe(0);
    });
  }
});

describeWithDocker(`outages of ${outageSeconds} s, seed ${seed}`, () => {
  for (const outage of choose(seed, allOutages, outs)) {
    test(`${outage}: ${outages[outage]}`, async () => {
      expect(await runOutage(outage, { seconds: outageSeconds })).toMatchObject({ outage });
    });
  }
});
