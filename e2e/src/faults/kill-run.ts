/**
 * One fault point: brings a deployment to the step in which the point lies, has the process die there, starts the daemon
 * again, and checks that nothing was lost, doubled or left behind.
 */
import { LeaseState } from '@mu/proto/market';
import { dataPlanePoints } from '@mu/provider-daemon/faults/fault-points';
import { type Asked, ConstantAsker } from '../../../scripts/lib/constant-asker.ts';
import { eventually } from '../process.ts';
import {
  checkBill,
  checkContainers,
  checkLease,
  checkNothingLeft,
  checkUntouched,
  checkWholeBill,
  promisedMs,
  shopContainers,
  untilAnswered,
} from './checks.ts';
import { cancel, create, type Deployed, deposit, untilState, update, withdrawAllBut } from './deployments.ts';
import { type KillPoint, type Phase, phaseOf } from './kill-points.ts';
import { writeShop, writeSmall } from './shop.ts';
import type { World } from './world.ts';

/** What a kill was like. */
export interface KillFigures {
  readonly point: KillPoint;
  readonly phase: Phase;
  /** until the daemon was up again, after it was started; 0 where it was the data plane that died */
  readonly upMs: number;
  /** from then on, until the address answered; for the data plane, since it died */
  readonly answersMs: number;
  /** requests sent all the while, and how many were not answered */
  readonly requests: number;
  readonly lost: number;
}

/** What a lease has to begin with, and a paused one is given to go on. */
const plentyUmu = 1_000_000;
/** For how many blocks a lease that is to run out of funds is left some: the withdrawal itself takes a few of them. */
const scarceBlocks = 25n;
/** The process must come to its point within this time. */
const strikeMs = 60_000;
/** What is used within a second may be lost with the data plane; so many requests are made in it at most. */
const lostWithPlane = 60;

interface Restart {
  readonly upMs: number;
  readonly answersMs: number;
  readonly asked: Asked;
}

const nobodyAsked: Asked = { answered: 0, failed: 0, firstFailure: '' };

/** @throws Error that says what was wrong after the kill */
export async function runKillPoint(world: World, point: KillPoint): Promise<KillFigures> {
  const phase = phaseOf[point];
  const starts = await world.engine.watchStarts(world.provider.owner);
  try {
    const { upMs, answersMs, asked } = await phases[phase](world, point);
    const twice = starts.twice();
    if (twice.length > 0) throw new Error(`containers were started more than once: ${twice.join(', ')}`);
    await checkNothingLeft(world);
    return { point, phase, upMs, answersMs, requests: asked.answered + asked.failed, lost: asked.failed };
  } finally {
    starts.close();
  }
}

const phases: Readonly<Record<Phase, (world: World, point: KillPoint) => Promise<Restart>>> = {
  deploy: duringDeploy,
  sealed: duringSealed,
  serve: (world, point) => duringService(world, point, { act: async () => {}, untouched: shopContainers() }),
  'serve-plane': duringPlane,
  update: (world, point) =>
    duringService(world, point, {
      act: (deployed) => update(world, deployed, writeShop(world, { greeting: 'welcome back' })),
      untouched: ['counter-0'],
      wanted: { greeting: 'welcome back', count: 1 },
    }),
  'scale-up': (world, point) =>
    duringService(world, point, {
      act: (deployed) => update(world, deployed, writeShop(world, { count: 2 })),
      untouched: shopContainers(),
      wanted: { greeting: 'welcome', count: 2 },
    }),
  'scale-down': (world, point) =>
    duringService(world, point, {
      before: 2,
      act: (deployed) => update(world, deployed, writeShop(world, { count: 1 })),
      untouched: shopContainers(),
      wanted: { greeting: 'welcome', count: 1 },
    }),
  pause: duringPause,
  resume: duringPause,
  end: duringEnd,
};

/** Waits for the death, then starts the daemon as anybody would. @returns milliseconds until it was ready */
async function bringBack(world: World, point: KillPoint): Promise<number> {
  const { daemon } = world;
  await eventually(`the fault point ${point}`, () => (daemon.isRunning ? undefined : true), strikeMs);
  if (!world.hasStruck) throw new Error(`the daemon ended elsewhere:\n${daemon.lastLines.join('\n')}`);
  return world.startDaemon();
}

/** Has the daemon run with a fault; the data plane serves on. */
async function arm(world: World, point: KillPoint): Promise<void> {
  const isPlanes = dataPlanePoints.has(point);
  await world.stopDaemon(isPlanes ? 'end' : 'leave');
  await world.startDaemon({ point });
}

/** @param lost requests that may be missing in the bill */
async function finish(world: World, deployed: Deployed, lost = 0): Promise<void> {
  await checkLease(world, deployed);
  await checkBill(world, deployed);
  await cancel(world, deployed);
  await checkNothingLeft(world);
  await checkWholeBill(world, deployed, lost);
}

async function duringDeploy(world: World, point: KillPoint): Promise<Restart> {
  await arm(world, point);
  const creating = create(world, writeShop(world));
  // Whoever waits for it learns of a failure; until then others may fail first.
  creating.catch(() => {});
  const upMs = await bringBack(world, point);
  const begun = performance.now();
  const deployed = await creating;
  await untilAnswered(deployed.visitor, () => deployed.visitor.both());
  const answersMs = performance.now() - begun;
  await checkContainers(world, deployed, shopContainers());
  await finish(world, deployed);
  return { upMs, answersMs, asked: nobodyAsked };
}

async function duringSealed(world: World, point: KillPoint): Promise<Restart> {
  await arm(world, point);
  const creating = create(world, writeSmall(world), '--seal');
  creating.catch(() => {});
  const upMs = await bringBack(world, point);
  const begun = performance.now();
  const deployed = await creating;
  await untilAnswered(deployed.visitor, () => deployed.visitor.login());
  const answersMs = performance.now() - begun;
  await finish(world, deployed);
  return { upMs, answersMs, asked: nobodyAsked };
}

interface Service {
  /** instances of the web container at first */
  readonly before?: number;
  /** what the tenant does while the daemon dies */
  readonly act: (deployed: Deployed) => Promise<void>;
  /** containers that the whole must not touch */
  readonly untouched: readonly string[];
  /** what the shop is in the end */
  readonly wanted?: { readonly greeting: string; readonly count: number };
}

/** Something that serves all the while. */
async function duringService(world: World, point: KillPoint, service: Service): Promise<Restart> {
  const { before = 1, act, untouched, wanted = { greeting: 'welcome', count: 1 } } = service;
  const deployed = await create(world, writeShop(world, { count: before }));
  const { visitor } = deployed;
  await untilAnswered(visitor, () => visitor.both());
  await arm(world, point);
  const stood = await world.engine.containers(world.provider.owner);
  const asker = new ConstantAsker(() => visitor.both());
  const acting = act(deployed);
  acting.catch(() => {});
  const upMs = await bringBack(world, point);
  const answersMs = await untilAnswered(visitor, () => visitor.both());
  if (answersMs > promisedMs) throw new Error(`the address answered only ${answersMs} ms after the daemon was up`);
  await acting;
  await eventually(`the greeting “${wanted.greeting}”`, async () =>
    (await visitor.visit().catch(() => undefined))?.greeting === wanted.greeting ? true : undefined,
  );
  await checkContainers(world, deployed, shopContainers(wanted.count));
  const asked = await asker.end();
  checkUntouched(stood, await world.engine.containers(world.provider.owner), untouched);
  await finish(world, deployed);
  return { upMs, answersMs, asked };
}

/** The data plane dies; the daemon has to notice. */
async function duringPlane(world: World, point: KillPoint): Promise<Restart> {
  await arm(world, point);
  const creating = create(world, writeShop(world));
  creating.catch(() => {});
  let asker: ConstantAsker | undefined;
  if (point !== 'routes.set') {
    const { visitor } = await creating;
    asker = new ConstantAsker(() => visitor.both());
  }
  await eventually(`the fault point ${point}`, () => (world.hasStruck ? true : undefined), strikeMs);
  const begun = performance.now();
  const deployed = await creating;
  await untilAnswered(deployed.visitor, () => deployed.visitor.both());
  const answersMs = performance.now() - begun;
  if (!world.daemon.isRunning) throw new Error('the daemon went with its data plane');
  const asked = (await asker?.end()) ?? nobodyAsked;
  await checkContainers(world, deployed, shopContainers());
  await finish(world, deployed, lostWithPlane);
  return { upMs: 0, answersMs, asked };
}

/** A lease runs out of funds, and goes on. */
async function duringPause(world: World, point: KillPoint): Promise<Restart> {
  const deployed = await create(world, writeShop(world, { freeUsage: true }), '--deposit', String(plentyUmu));
  const { visitor } = deployed;
  await untilAnswered(visitor, () => visitor.both());
  await arm(world, point);
  // Only now: a busy machine takes its time until here, and the lease must not end before.
  await withdrawAllBut(world, deployed, scarceBlocks);
  let upMs = 0;
  if (phaseOf[point] === 'pause') upMs = await bringBack(world, point);
  await untilState(world, deployed, LeaseState.LEASE_STATE_OUT_OF_FUNDS);
  await checkContainers(world, deployed, []);
  await deposit(world, deployed, plentyUmu);
  if (phaseOf[point] === 'resume') upMs = await bringBack(world, point);
  const begun = performance.now();
  await untilAnswered(visitor, () => visitor.both());
  const answersMs = performance.now() - begun;
  await checkContainers(world, deployed, shopContainers());
  await checkLease(world, deployed);
  await cancel(world, deployed);
  return { upMs, answersMs, asked: nobodyAsked };
}

async function duringEnd(world: World, point: KillPoint): Promise<Restart> {
  const deployed = await create(world, writeShop(world));
  const { visitor } = deployed;
  await untilAnswered(visitor, () => visitor.both());
  await arm(world, point);
  await cancel(world, deployed);
  const upMs = await bringBack(world, point);
  const begun = performance.now();
  await checkNothingLeft(world);
  const answersMs = performance.now() - begun;
  const { status } = await fetch(`${visitor.endpoint}/cgi-bin/visit`);
  if (status !== 404) throw new Error(`the address of a lease that is over answers ${status}`);
  await checkBill(world, deployed);
  return { upMs, answersMs, asked: nobodyAsked };
}
