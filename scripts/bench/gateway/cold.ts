/** How long a container takes until it answers: by the daemon's driver and the gateway, and by a bare `docker run`. */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import Docker from 'dockerode';
import { percentile } from '../figures.ts';
import { askOnce, requestOf } from './load.ts';
import { containerLease, staticPage, type World, webSpec } from './world.ts';

export interface ColdStart {
  /** From the driver's start until the gateway answers, in ms, the image being here: median. */
  readonly ours: number;
  /** From `docker run -d -p` until the port answers, in ms: median. */
  readonly bare: number;
  /** The driver's first start, with loading the image, in ms. */
  readonly first: number;
}

const lease = 21;
/** As in examples/shop, where start counts: a tenth of a core would be measured else. */
const cpu = 1_000;
const lookMs = 2;
const limitMs = 30_000;
/** Of what the bench makes at the engine beside the driver. */
const ownName = `mu-bench-${process.pid}`;

/** @returns what the command printed @throws Error with what it said */
function docker(...args: readonly string[]): string {
  return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

export async function measureCold(world: World, rounds: number): Promise<ColdStart> {
  const first = await ourStart(world);
  const image = await imageOfWeb(world);
  const ours: number[] = [];
  const bare: number[] = [];
  // A bridge that is there, as the engine's own is; ours is made with each start.
  docker('network', 'create', ownName);
  try {
    for (let round = 0; round < rounds; round += 1) {
      bare.push(await bareStart(image.kept));
      // The end of the workload has taken the driver's own name away.
      docker('tag', image.kept, image.driver);
      ours.push(await ourStart(world));
    }
  } finally {
    docker('network', 'rm', ownName);
    docker('rmi', image.kept);
  }
  return { first, ours: percentile(ours, 0.5), bare: percentile(bare, 0.5) };
}

async function ourStart({ containers, plane, target }: World): Promise<number> {
  await plane.serve(containerLease(lease));
  const start = performance.now();
  const workload = await containers.driver.start(webSpec(lease, cpu));
  const instances = workload
    .status()
    .flatMap(({ address, state }) => (address ? [{ address, ready: state === 'ready' }] : []));
  await plane.place(`${lease}`, [{ service: 'web', instances }]);
  await untilAnswers(() => askOnce(target(`c${lease}`, 'GET', staticPage)));
  const took = performance.now() - start;
  await workload.stop();
  await plane.withdraw(`${lease}`);
  return took;
}

async function bareStart(image: string): Promise<number> {
  const port = await freePort();
  const start = performance.now();
  const id = docker('run', '--detach', '--rm', '--network', ownName, '--publish', `127.0.0.1:${port}:8080`, image);
  try {
    await untilAnswers(() => askOnce({ host: '127.0.0.1', port, request: requestOf('GET', staticPage) }));
    return performance.now() - start;
  } finally {
    docker('rm', '--force', id);
  }
}

/** The image that the driver has loaded: under a name that stays, and by the driver's name for it. */
async function imageOfWeb({ containers }: World): Promise<{ readonly kept: string; readonly driver: string }> {
  const workload = await containers.driver.start(webSpec(lease, cpu));
  const [found] = await new Docker().listContainers({ filters: { label: [`mu.lease=${lease}`, 'mu.service=web'] } });
  if (found === undefined) throw new Error('the container of the bench is not there');
  const kept = `${ownName}:web`;
  docker('tag', found.ImageID, kept);
  await workload.stop();
  return { kept, driver: found.Image };
}

async function untilAnswers(ask: () => Promise<number>): Promise<void> {
  const until = performance.now() + limitMs;
  while ((await ask()) !== 200) {
    if (performance.now() > until) throw new Error(`the container has not answered for ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = createServer();
  server.listen(0, '127.0.0.1', () => {
    const bound = server.address();
    server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
  });
  return promise;
}
