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
import { type KillFigures, runKillPoint } from '../src/faults/kill-run.ts';
import { Lanes } from '../src/faults/lanes.ts';
import { type OutageFigures, outages, runOutage } from '../src/faults/outages.ts';
import type { World } from '../src/faults/world.ts';

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

describeWithDocker(`seed ${seed}`, () => {
  const points = choosePoints(seed, kills);
  const away = choose(seed, allOutages, outs);
  let tried: Lanes<KillFigures | OutageFigures>;

  beforeAll(() => {
    // Outages first, since they take longest. Two at a time are as much as two cores can bear beside another test.
    tried = new Lanes<KillFigures | OutageFigures>(
      [
        ...away.map((name) => ({
          name,
          run: (lend: () => Promise<World>) => runOutage(name, { seconds: outageSeconds, lend }),
        })),
        ...points.map((name) => ({
          name,
          run: async (world: () => Promise<World>) => runKillPoint(await world(), name),
        })),
      ],
      2,
    );
  });
  afterAll(async () => {
    await tried?.close();
  });

  for (const outage of away) {
    test(`${outageSeconds} s of ${outage}: ${outages[outage]}`, async () => {
      expect(await tried.outcome(outage)).toMatchObject({ outage });
    });
  }

  for (const point of points) {
    test(`kill -9 at ${point}: ${faultPoints[point]}`, async () => {
      const figures = await tried.outcome(point);
      const { answersMs, lost } = figures;
      expect(figures).toMatchObject({ point, phase: phaseOf[point] });
      // What served before serves on without the daemon; only where the data plane itself dies are requests lost.
      if (!['serve', 'update', 'scale-up', 'scale-down'].includes(phaseOf[point])) return;
      expect(answersMs).toBeLessThanOrEqual(promisedMs);
      expect(lost).toBe(0);
    });
  }
});
