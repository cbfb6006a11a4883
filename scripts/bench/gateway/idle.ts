/** What leased containers and registered functions cost while nobody calls them. */
import { availableParallelism, freemem } from 'node:os';
import Docker from 'dockerode';
import { percentile } from '../figures.ts';
import { askOnce } from './load.ts';
import { familyOf, pidsLike, type Taken, takenByAll } from './usage.ts';
import { functionLease, functionOf, loginBody, loginModule, type World, webSpec } from './world.ts';

/** Numbers of leases begin here, away from those of the other benches. */
const firstLease = 1_000;
/** Functions that are called for the first time. */
const coldTries = 9;
/** A container of the shop with its shim and its part of the engine needs less. */
const containerBytes = 24 << 20;

export interface IdleFunctions {
  readonly count: number;
  /** Until all were registered, in seconds. */
  readonly registered: number;
  /** More than before them: of the data plane's process and of all sandboxes, in MiB. */
  readonly planeMib: number;
  readonly sandboxesMib: number;
  readonly sandboxes: number;
  /** Part of one core while nothing is called. */
  readonly cpu: number;
  /** The first call of one of them, in ms: median of several. */
  readonly coldMs: number;
}

export async function measureIdleFunctions(world: World, count: number, idleMs: number): Promise<IdleFunctions> {
  const plane = planePid(world);
  const before = split(plane);
  const served = functionOf(loginModule);
  const start = performance.now();
  for (let i = 0; i < count; i += 1) await world.plane.serve(functionLease(firstLease + i, served));
  const registered = (performance.now() - start) / 1000;
  const cpu = await idleCpu(() => familyOf(plane), idleMs);
  const after = split(plane);
  const { sandboxes } = await world.plane.figures();
  const cold = await coldCalls(world);
  for (let i = 0; i < count; i += 1) await world.plane.withdraw(`${firstLease + i}`);
  return {
    ...{ count, registered, cpu, sandboxes },
    planeMib: after.own.memoryMib - before.own.memoryMib,
    sandboxesMib: after.others.memoryMib,
    coldMs: percentile(cold, 0.5),
  };
}

/** Milliseconds of the first calls of some of them. */
async function coldCalls(world: World): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < coldTries; i += 1) {
    // A spare has come up again by then.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const called = performance.now();
    const status = await askOnce(world.target(`f${firstLease + i}`, 'POST', '/login', loginBody));
    if (status === 200) times.push(performance.now() - called);
    else if (status !== 429) throw new Error(`a registered function answered ${status}`);
  }
  if (times.length <= coldTries / 2) throw new Error('the machine is too busy: most of the first calls were refused');
  return times;
}

function split(plane: number): { own: Taken; others: Taken } {
  return { own: takenByAll([plane]), others: takenByAll(familyOf(plane).filter((pid) => pid !== plane)) };
}

export interface IdleContainers {
  readonly count: number;
  /** Until all ran and answered, in seconds. */
  readonly started: number;
  /** More than before them, in MiB: in the process of the driver, of the engine with its shims, of the containers. */
  readonly daemonMib: number;
  readonly engineMib: number;
  readonly containersMib: number;
  /** Parts of one core while nothing is called: of the driver's process, of the engine, of the containers. */
  readonly daemonCpu: number;
  readonly engineCpu: number;
  readonly containersCpu: number;
}

/** @returns fewer where memory has no room for as many */
export async function measureIdleContainers(world: World, wanted: number, idleMs: number): Promise<IdleContainers> {
  const count = Math.min(wanted, Math.floor(freemem() / 2 / containerBytes));
  const { driver } = world.containers;
  const [daemonBefore, engineBefore] = [takenByAll([process.pid]), takenByAll(enginePids())];
  const start = performance.now();
  const leases = Array.from({ length: count }, (_, i) => firstLease + i);
  const next = leases.values();
  const worker = async (): Promise<void> => {
    for (const lease of next) await driver.start(webSpec(lease, 100));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  const started = (performance.now() - start) / 1000;
  const containers = await containerPids();
  const [daemonCpu, engineCpu, containersCpu] = await Promise.all([
    idleCpu(() => [process.pid], idleMs),
    idleCpu(enginePids, idleMs),
    idleCpu(() => containers, idleMs),
  ]);
  const [daemon, engine] = [takenByAll([process.pid]), takenByAll(enginePids())];
  const containersMib = takenByAll(containers).memoryMib;
  for (const lease of leases) await driver.remove({ deployment: `${lease}`, service: 'web' });
  return {
    ...{ count, started, daemonCpu, engineCpu, containersCpu, containersMib },
    daemonMib: daemon.memoryMib - daemonBefore.memoryMib,
    engineMib: engine.memoryMib - engineBefore.memoryMib,
  };
}

const enginePids = (): number[] => pidsLike(/(^|\/)(dockerd|containerd|containerd-shim\S*|docker-proxy)( |$)/);

async function containerPids(): Promise<number[]> {
  const docker = new Docker();
  const found = await docker.listContainers({ filters: { label: [`mu.provider=mubench${process.pid}`] } });
  const states = await Promise.all(found.map(({ Id }) => docker.getContainer(Id).inspect()));
  return states.map(({ State }) => State.Pid);
}

/** The part of one core that processes take meanwhile. */
async function idleCpu(pids: () => readonly number[], ms: number): Promise<number> {
  const before = takenByAll(pids()).cpuSeconds;
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return (takenByAll(pids()).cpuSeconds - before) / ((performance.now() - start) / 1000);
}

function planePid({ folder }: World): number {
  const [pid] = pidsLike(new RegExp(`data-plane/main\\.ts ${folder}`));
  if (pid === undefined) throw new Error('the process of the data plane is not found');
  return pid;
}
