/** Outages around a provider that serves, and what its tenant sees of them. */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Asked, ConstantAsker } from '../../../scripts/lib/constant-asker.ts';
import { eventually, Program } from '../process.ts';
import {
  checkContainers,
  checkLease,
  checkNothingLeft,
  checkUntouched,
  checkWholeBill,
  promisedMs,
  shopContainers,
  untilAnswered,
} from './checks.ts';
import { cancel, create, type Deployed } from './deployments.ts';
import { OwnEngine } from './own-engine.ts';
import { writeShop } from './shop.ts';
import { SmallDisk } from './small-disk.ts';
import { World, type WorldOptions } from './world.ts';

/** What an outage was like for the tenant. */
export interface OutageFigures {
  readonly outage: Outage;
  /** that something was away */
  readonly awayMs: number;
  /** until the address answered again, after it was back; 0 where it never ceased */
  readonly answersMs: number;
  readonly requests: number;
  readonly lost: number;
  /** what the first request that was lost was told */
  readonly told: string;
}

/** What is out, and what the tenant is promised of it. */
export const outages = {
  'engine-restart': 'the engine is restarted without live-restore: its containers end, and are there again',
  'engine-restart-live': 'the engine is restarted with live-restore: nobody notices',
  'engine-kill-live': 'the engine is killed and started again, with live-restore: nobody notices',
  'engine-gone': 'the engine is gone for a while without live-restore: 503 at once, and then all is there again',
  'engine-gone-live': 'the engine is gone for a while with live-restore: containers and addresses serve on',
  'engine-gone-end': 'a lease ends while the engine is gone: its containers go when it is back',
  'disk-full': 'the disk of the data folder is full: what runs serves on, and is billed when there is room again',
  'chain-gone': 'the chain is gone for a while: nothing that runs stops',
  'chain-forward': 'the daemon is away while the chain makes many blocks: the lease is there, and billed',
  'plane-killed': 'the data plane is killed under load: its successor serves, no usage is counted twice',
  'peers-gone': 'another provider goes for good: nobody else notices',
} as const;

export type Outage = keyof typeof outages;

/** Lost while the data plane is killed: what was used in its last second. */
const lostWithPlane = 60;
/** Room for identity, journal, volumes and what the daemon keeps free of them. */
const smallDiskBytes = 420 << 20;
const forwardBlocks = 150;
const mud = join(import.meta.dirname, '..', '..', '..', 'chain', 'app', 'bin', 'mud');

interface Course {
  readonly awayMs: number;
  readonly answersMs: number;
}

interface Scene {
  readonly world: World;
  readonly deployed: Deployed;
  /** for so long something is away */
  readonly forMs: number;
}

interface RunOptions extends WorldOptions {
  /** A usual world, for those outages that leave it as it was; others, and all where absent, have one of their own. */
  readonly lend?: () => Promise<World>;
}

/** @throws Error that says which promise was broken */
export async function runOutage(
  outage: Outage,
  { seconds, ...options }: Pick<RunOptions, 'onLog' | 'lend'> & { readonly seconds: number },
): Promise<OutageFigures> {
  const { asked, ...course } = await courses[outage](seconds * 1000, options);
  return {
    outage,
    ...course,
    requests: asked.answered + asked.failed,
    lost: asked.failed,
    told: asked.firstFailure,
  };
}

type Told = Course & { readonly asked: Asked };
type Run = (forMs: number, options: RunOptions) => Promise<Told>;

const courses: Readonly<Record<Outage, Run>> = {
  'engine-restart': withEngine({ liveRestore: false, mayLose: true }, async ({ world, deployed }, engine) => {
    const begun = performance.now();
    await engine.stop();
    await engine.start();
    return { awayMs: performance.now() - begun, answersMs: await backAgain(world, deployed) };
  }),
  'engine-restart-live': withEngine({ liveRestore: true, mayLose: false }, async ({ world, deployed }, engine) =>
    aroundUntouched(world, deployed, async () => {
      await engine.stop();
      await engine.start();
    }),
  ),
  'engine-kill-live': withEngine({ liveRestore: true, mayLose: false }, async ({ world, deployed }, engine) =>
    aroundUntouched(world, deployed, async () => {
      await engine.kill();
      await engine.start();
    }),
  ),
  'engine-gone': withEngine({ liveRestore: false, mayLose: true }, engineGone),
  'engine-gone-live': withEngine({ liveRestore: true, mayLose: false }, async ({ world, deployed, forMs }, engine) =>
    aroundUntouched(world, deployed, async () => {
      await engine.stop();
      await pause(forMs);
      await checkLease(world, deployed);
      await engine.start();
    }),
  ),
  'engine-gone-end': endWithoutEngine,
  'disk-full': diskFull,
  'chain-gone': inWorld({}, async ({ world, deployed, forMs }) =>
    aroundUntouched(world, deployed, async () => {
      await world.network.program('chain').kill();
      await pause(forMs);
      await world.network.startChain();
    }),
  ),
  'chain-forward': inWorld({}, chainForward),
  'plane-killed': inWorld({ mayLose: true, lostInBill: lostWithPlane }, planeKilled),
  'peers-gone': inWorld({ peers: 1 }, async ({ world, deployed, forMs }) =>
    aroundUntouched(world, deployed, async () => {
      await world.network.program('peer-0').kill();
      await pause(forMs);
    }),
  ),
};

interface Terms {
  readonly peers?: number;
  /** requests may be lost */
  readonly mayLose?: boolean;
  /** so many requests may be missing in the bill */
  readonly lostInBill?: number;
}

/** A world with a deployment that is asked all the while; afterwards all must be whole, and nothing left. */
function inWorld(terms: Terms, act: (scene: Scene) => Promise<Course>): Run {
  return async (forMs, { lend, ...options }) => {
    const { peers = 0 } = terms;
    const isUsual = peers === 0 && options.socket === undefined && options.dataFolder === undefined;
    const lent = isUsual ? await lend?.() : undefined;
    const world = lent ?? (await World.start({ ...options, peers }));
    try {
      const deployed = await create(world, writeShop(world));
      await untilAnswered(deployed.visitor, () => deployed.visitor.both());
      const asker = new ConstantAsker(() => deployed.visitor.both());
      const course = await act({ world, deployed, forMs }).finally(() => asker.end());
      const asked = await asker.end();
      if (asked.failed > 0 && terms.mayLose !== true)
        throw new Error(`${asked.failed} requests were lost, the first: ${asked.firstFailure}`);
      await checkContainers(world, deployed, shopContainers());
      await checkLease(world, deployed);
      await cancel(world, deployed);
      await checkNothingLeft(world);
      await checkWholeBill(world, deployed, terms.lostInBill ?? 0);
      return { ...course, asked };
    } finally {
      if (lent === undefined) await world.stop();
    }
  };
}

function withEngine(
  terms: { readonly liveRestore: boolean; readonly mayLose: boolean },
  act: (scene: Scene, engine: OwnEngine) => Promise<Course>,
): Run {
  return async (forMs, options) => {
    const engine = await OwnEngine.start(terms);
    try {
      const run = inWorld({ mayLose: terms.mayLose }, async (scene) => {
        try {
          return await act(scene, engine);
        } finally {
          // Without it nothing could be taken away again.
          if (!engine.isRunning) await engine.start();
        }
      });
      return await run(forMs, { ...options, socket: engine.socket });
    } finally {
      await engine.remove();
    }
  };
}

/** Containers run through it, and the address answers through it. */
async function aroundUntouched(world: World, { visitor }: Deployed, act: () => Promise<void>): Promise<Course> {
  const stood = await world.engine.containers(world.provider.owner);
  const begun = performance.now();
  await act();
  const awayMs = performance.now() - begun;
  await untilAnswered(visitor, () => visitor.both());
  const stand = await world.engine.containers(world.provider.owner);
  checkUntouched(stood, stand, shopContainers());
  return { awayMs, answersMs: 0 };
}

/** Until the containers, which had ended, serve again. */
async function backAgain(world: World, deployed: Deployed): Promise<number> {
  const answersMs = await untilAnswered(deployed.visitor, () => deployed.visitor.both());
  await checkContainers(world, deployed, shopContainers());
  return answersMs;
}

/** The tenant is refused at once and told to come back; nothing hangs. */
async function engineGone({ world, deployed, forMs }: Scene, engine: OwnEngine): Promise<Course> {
  const begun = performance.now();
  await engine.stop();
  await eventually('a refusal', async () => {
    const { status, headers } = await deployed.visitor.answer();
    return status === 503 && headers.has('retry-after') ? true : undefined;
  });
  // The function of the same stack needs no engine.
  await deployed.visitor.login();
  await pause(forMs);
  await checkLease(world, deployed);
  await engine.start();
  return { awayMs: performance.now() - begun, answersMs: await backAgain(world, deployed) };
}

async function endWithoutEngine(forMs: number, options: RunOptions): Promise<Told> {
  const engine = await OwnEngine.start({ liveRestore: true });
  try {
    const world = await World.start({ ...options, socket: engine.socket });
    try {
      const deployed = await create(world, writeShop(world));
      await untilAnswered(deployed.visitor, () => deployed.visitor.both());
      const begun = performance.now();
      await engine.stop();
      await cancel(world, deployed);
      await pause(forMs);
      if (!world.daemon.isRunning) throw new Error('the daemon ended, because a lease ended without an engine');
      await engine.start();
      const awayMs = performance.now() - begun;
      const back = performance.now();
      await checkNothingLeft(world);
      const answersMs = performance.now() - back;
      return { awayMs, answersMs, asked: { answered: 0, failed: 0, firstFailure: '' } };
    } finally {
      if (!engine.isRunning) await engine.start();
      await world.stop();
    }
  } finally {
    await engine.remove();
  }
}

async function diskFull(forMs: number, options: RunOptions): Promise<Told> {
  const disk = new SmallDisk(smallDiskBytes);
  try {
    const run = inWorld({}, async ({ world, deployed }) =>
      aroundUntouched(world, deployed, async () => {
        await disk.fill();
        try {
          await pause(forMs);
          if (!world.daemon.isRunning) throw new Error('the daemon ended, because the disk was full');
        } finally {
          disk.free();
        }
      }),
    );
    return await run(forMs, { ...options, dataFolder: join(disk.mount, 'data') });
  } finally {
    disk.remove();
  }
}

/** Blocks come fast while the daemon is away; it is back before its leases are lost. */
async function chainForward({ world, deployed }: Scene): Promise<Course> {
  const { network } = world;
  const stood = await world.engine.containers(world.provider.owner);
  await world.daemon.kill();
  const begun = performance.now();
  const from = await world.client.height();
  await network.program('chain').kill();
  const fast = new Program({
    name: 'fast chain',
    command: mud,
    args: [
      ...['start', '--home', network.path('chain'), '--set', `rpc.laddr=${new URL(network.rpc).host}`],
      ...['--set', 'engine.block_interval_ms=10'],
    ],
  });
  try {
    await fast.ready;
    await network.untilHeight(from + forwardBlocks);
  } finally {
    await fast.stop();
  }
  await network.startChain();
  const awayMs = performance.now() - begun;
  await world.startDaemon();
  const answersMs = await untilAnswered(deployed.visitor, () => deployed.visitor.both());
  if (answersMs > promisedMs) throw new Error(`the address answered only ${answersMs} ms after the daemon was up`);
  await checkContainers(world, deployed, shopContainers());
  checkUntouched(stood, await world.engine.containers(world.provider.owner), shopContainers());
  return { awayMs, answersMs };
}

async function planeKilled({ world, deployed }: Scene): Promise<Course> {
  const begun = performance.now();
  process.kill(world.planePid, 'SIGKILL');
  const answersMs = await untilAnswered(deployed.visitor, () => deployed.visitor.both());
  return { awayMs: performance.now() - begun, answersMs };
}
