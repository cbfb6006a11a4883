/**
 * `npm run bench:gateway`: requests a second and latency of a function and of a container beside a plain Node server in the
 * same run; cold starts; how soon callers are told of overload; what idle containers and functions cost. Needs Docker, as
 * root.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { Figures } from './figures.ts';
import { measureCold } from './gateway/cold.ts';
import { measureIdleContainers, measureIdleFunctions } from './gateway/idle.ts';
import { measureOrder } from './gateway/order.ts';
import { measureOverload } from './gateway/overload.ts';
import { type Kind, measureThroughput, type Throughput } from './gateway/throughput.ts';
import { startWorld, type World } from './gateway/world.ts';

const parts = ['throughput', 'overload', 'cold', 'order', 'functions', 'containers'] as const;
type Part = (typeof parts)[number];

const usage = `npm run bench:gateway [-- OPTIONS]

  --rounds N       rounds of all measurements of requests a second (5); and as many cold starts, 3 at least
  --ms N           milliseconds of one measurement (2000)
  --functions N    functions that are registered and not called (1000)
  --containers N   containers that are leased and not called (100), fewer where memory has no room
  --only LIST      some of ${parts.join(',')}
  --json           one JSON object a line, the last one sums up
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '2000' },
    functions: { type: 'string', default: '1000' },
    containers: { type: 'string', default: '100' },
    only: { type: 'string', default: parts.join(',') },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

interface Summary {
  wasm_rps: Record<string, number> | null;
  wasm_p95_ms: number | null;
  container_rps: Record<string, number> | null;
  container_cold_ms: number | null;
  overload_refused_ms: number | null;
}

const figures = new Figures(values.json);
const rounded = (value: number): number => Number(value.toPrecision(4));
/** What was not measured is null. */
const summary: Summary = {
  ...{ wasm_rps: null, wasm_p95_ms: null, container_rps: null, container_cold_ms: null, overload_refused_ms: null },
};

async function throughput(world: World, rounds: number, durationMs: number): Promise<void> {
  const all = await measureThroughput(world, { rounds, durationMs });
  for (const { kind, connections, perSecond, p50, p95, p99, refused } of all) {
    const times = [p50, p95, p99].map((time) => time.toFixed(2)).join(', ');
    const told = refused === 0 ? '' : `; ${(refused * 100).toFixed(1)} % refused`;
    figures.add(`${kind}, ${connections} connections`, perSecond, 'requests/s', `p50, p95, p99: ${times} ms${told}`);
  }
  const of = (kind: Kind): readonly Throughput[] => all.filter((one) => one.kind === kind);
  const rates = (kind: Kind) => Object.fromEntries(of(kind).map((one) => [one.connections, rounded(one.perSecond)]));
  summary.wasm_rps = rates('function');
  summary.container_rps = rates('container');
  summary.wasm_p95_ms = rounded(of('function')[0]?.p95 ?? Number.NaN);
}

async function overload(world: World, durationMs: number): Promise<void> {
  const { refusedP50, refusedP95, refusals, otherP95, otherServed } = await measureOverload(world, durationMs);
  const conditions = `${refusals} refusals while a function is busy for ever, 16 connections ask it`;
  figures.add('overload: until a refusal, p50', refusedP50, 'ms', conditions);
  figures.add('overload: until a refusal, p95', refusedP95, 'ms', conditions);
  figures.add('overload: another deployment, p95', otherP95, 'ms', `${(otherServed * 100).toFixed(1)} % served`);
  summary.overload_refused_ms = rounded(refusedP95);
}

async function cold(world: World, rounds: number): Promise<void> {
  const { first, ours, bare } = await measureCold(world, rounds);
  figures.add('container: first start', first, 'ms', 'with its image, from the manifest’s archive');
  figures.add('container: cold start', ours, 'ms', 'from the driver’s start until the gateway answers');
  figures.add(
    'container: bare docker run',
    bare,
    'ms',
    'until its published port answers; by turns with the one above',
  );
  figures.add('container: cold start to bare', ours / bare, '×', 'aim: at most 1.2');
  summary.container_cold_ms = rounded(ours);
}

async function order(): Promise<void> {
  const { addressMs, answerMs } = await measureOrder();
  figures.add('container: order to address', addressMs, 'ms', 'blocks of 1 s, examples/shop');
  figures.add('container: order to first answer', answerMs, 'ms', 'blocks of 1 s, examples/shop');
}

async function functions(world: World, count: number): Promise<void> {
  const idle = await measureIdleFunctions(world, count, 10_000);
  const name = `${idle.count} functions`;
  figures.add(`${name}: registered in`, idle.registered, 's', 'one after the other');
  figures.add(`${name}: data plane`, idle.planeMib, 'MiB', 'more than before');
  figures.add(`${name}: sandboxes`, idle.sandboxesMib, 'MiB', `${idle.sandboxes} processes, spares`);
  figures.add(`${name}: idle`, idle.cpu * 100, '% of a core', 'data plane and sandboxes, over 10 s');
  figures.add(`${name}: first call of one`, idle.coldMs, 'ms', 'into a warm spare; median of 9');
}

async function containers(world: World, count: number): Promise<void> {
  const idle = await measureIdleContainers(world, count, 20_000);
  const name = `${idle.count} containers`;
  figures.add(`${name}: started in`, idle.started, 's', `${availableParallelism()} at a time`);
  figures.add(`${name}: daemon`, idle.daemonMib, 'MiB', 'more than before');
  figures.add(`${name}: engine and shims`, idle.engineMib, 'MiB', 'more than before');
  figures.add(`${name}: containers`, idle.containersMib, 'MiB', 'busybox httpd');
  figures.add(`${name}: daemon, idle`, idle.daemonCpu * 100, '% of a core', 'health checks each second');
  figures.add(`${name}: engine, idle`, idle.engineCpu * 100, '% of a core', 'with its shims');
  figures.add(`${name}: containers, idle`, idle.containersCpu * 100, '% of a core', 'they answer the health checks');
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const [rounds, ms, functionCount, containerCount] = [
    values.rounds,
    values.ms,
    values.functions,
    values.containers,
  ].map(Number) as [number, number, number, number];
  const only = values.only.split(',') as Part[];
  const numbers = [rounds, ms, functionCount, containerCount];
  if (!numbers.every((one) => Number.isInteger(one) && one > 0) || !only.every((one) => parts.includes(one))) {
    throw new Error(usage);
  }
  if (!values.json) console.log(`${availableParallelism()} cores, load before: ${loadavg()[0]?.toFixed(1)}`);
  const world = await startWorld();
  try {
    if (only.includes('throughput')) await throughput(world, rounds, ms);
    if (only.includes('overload')) await overload(world, Math.max(ms, 1_000));
    if (only.includes('cold')) await cold(world, Math.max(3, rounds));
    if (only.includes('functions')) await functions(world, functionCount);
    if (only.includes('containers')) await containers(world, containerCount);
  } finally {
    await world.stop();
  }
  if (only.includes('order')) await order();
  console.log(JSON.stringify(summary));
}

await main();
