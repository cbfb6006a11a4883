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

export async function measureCold(world: World, rounds: number): Promise<ColdStart> {
  const first = await ourStart(world);
  const image = await imageOfWeb(world);
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    bare.push(await bareStart(image));
    ours.push(await ourStart(world));
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
  const run = ['run', '--detach', '--rm', '--publish', `127.0.0.1:${port}:8080`, image];
  const id = execFileSync('docker', run, { encoding: 'utf8' }).trim();
  try {
    await untilAnswers(() => askOnce({ host: '127.0.0.1', port, request: requestOf('GET', staticPage) }));
    return performance.now() - start;
  } finally {
    execFileSync('docker', ['rm', '--force', id], { stdio: 'ignore' });
  }
}

/** The image that the driver has loaded, under a name that stays. */
async function imageOfWeb({ containers }: World): Promise<string> {
  const workload = await containers.driver.start(webSpec(lease, cpu));
  const [found] = await new Docker().listContainers({ filters: { label: [`mu.lease=${lease}`, 'mu.service=web'] } });
  if (found === undefined) throw new Error('the container of the bench is not there');
  const name = `mu-bench-${process.pid}:web`;
  execFileSync('docker', ['tag', found.ImageID, name]);
  process.once('exit', () => execFileSync('docker', ['rmi', name], { stdio: 'ignore' }));
  await workload.stop();
  return name;
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
