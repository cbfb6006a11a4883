/**
 * Kills the daemon at every step of a lease's life, and takes away by turns what a provider needs, with real programs and
 * a real engine. Each fault is checked by itself; the last line is one JSON object.
 */

import { parseArgs } from 'node:util';
import { allOutages, allPoints, choose, choosePoints } from '@mu/e2e/faults/choose';
import type { KillPoint } from '@mu/e2e/faults/kill-points';
import { type KillFigures, runKillPoint } from '@mu/e2e/faults/kill-run';
import { type Outage, type OutageFigures, outages, runOutage } from '@mu/e2e/faults/outages';
import { World } from '@mu/e2e/faults/world';
import { messageOf } from '@mu/lib/error-message';
import { faultPoints } from '@mu/provider-daemon/faults/fault-points';
import { killTable, outageTable } from './faults/tables.ts';

const help = `npm run faults -- [--points a,b] [--outages a,b] [--seed N --kills N --outs N] [--seconds N] [--verbose]
  --points   only these kill points; "none" for none
  --outages  only these outages; "none" for none
  --seed     a choice of --kills points (8) and --outs outages (3), as CI has it
  --seconds  how long an outage lasts (60)
  --verbose  what the programs say

kill points:
${allPoints.map((point) => `  ${point.padEnd(22)}  ${faultPoints[point]}`).join('\n')}

outages:
${Object.entries(outages)
  .map(([outage, what]) => `  ${outage.padEnd(22)}  ${what}`)
  .join('\n')}`;

const { values: flags } = parseArgs({
  options: {
    points: { type: 'string' },
    outages: { type: 'string' },
    seed: { type: 'string' },
    kills: { type: 'string', default: '8' },
    outs: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '60' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function whole(name: 'seed' | 'kills' | 'outs' | 'seconds'): number {
  const text = flags[name] ?? '';
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} ${text}: it must be a whole number`);
  return Number(text);
}

function named<T extends string>(flag: 'points' | 'outages', all: readonly T[]): readonly T[] | undefined {
  const text = flags[flag];
  if (text === undefined) return undefined;
  if (text === 'none') return [];
  return text.split(',').map((name) => {
    const found = all.find((one) => one === name);
    if (found === undefined) throw new Error(`--${flag} ${name}: there are ${all.join(', ')}`);
    return found;
  });
}

const onLog = flags.verbose ? (program: string, line: string): void => console.error(`${program}: ${line}`) : undefined;
const logging = onLog === undefined ? {} : { onLog };
const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
let failures = 0;

/** What a fault has broken is told, and the next one is run. */
async function attempt<T>(what: string, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    failures += 1;
    console.error(`FAILED  ${what}: ${messageOf(error)}`);
    return undefined;
  }
}

async function killAll(points: readonly KillPoint[]): Promise<KillFigures[]> {
  const figures: KillFigures[] = [];
  let world: World | undefined;
  try {
    for (const point of points) {
      if (ended.signal.aborted) break;
      world ??= await World.start(logging);
      const here = world;
      const found = await attempt(point, () => runKillPoint(here, point));
      if (found === undefined) {
        // What a failure has left would fail the next ones too.
        await world.stop();
        world = undefined;
      } else {
        figures.push(found);
        console.log(killTable.line(found));
      }
    }
  } finally {
    await world?.stop();
  }
  return figures;
}

async function outAll(names: readonly Outage[], seconds: number): Promise<OutageFigures[]> {
  const figures: OutageFigures[] = [];
  for (const outage of names) {
    if (ended.signal.aborted) break;
    const found = await attempt(outage, () => runOutage(outage, { seconds, ...logging }));
    if (found === undefined) continue;
    figures.push(found);
    console.log(outageTable.line(found));
  }
  return figures;
}

async function main(): Promise<void> {
  const seed = flags.seed === undefined ? undefined : whole('seed');
  const points = named('points', allPoints) ?? (seed === undefined ? allPoints : choosePoints(seed, whole('kills')));
  const chosen =
    named('outages', allOutages) ?? (seed === undefined ? allOutages : choose(seed, allOutages, whole('outs')));
  const seconds = whole('seconds');
  if (points.length > 0) console.log(killTable.head);
  const kills = await killAll(points);
  if (chosen.length > 0) console.log(`\n${outageTable.head}`);
  const outs = await outAll(chosen, seconds);
  console.log(
    JSON.stringify({
      kill_points: kills.length,
      outages: outs.length,
      failed: failures,
      slowest_up_ms: Math.round(Math.max(0, ...kills.map(({ upMs }) => upMs))),
    }),
  );
  if (failures > 0) process.exitCode = 1;
}

if (flags.help) console.log(help);
else await main();
