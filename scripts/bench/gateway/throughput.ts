/** Requests a second of a function and of a container beside a plain server: by turns, so that all see the same machine. */
import { percentile } from '../figures.ts';
import { type LoadResult, load, type Target } from './load.ts';
import {
  containerLease,
  functionLease,
  functionOf,
  loginBody,
  loginModule,
  staticPage,
  type World,
  webSpec,
} from './world.ts';

export const levels = [1, 8, 32] as const;
export type Kind = 'plain' | 'function' | 'container';

/** Of one kind at one number of connections. */
export interface Throughput {
  readonly kind: Kind;
  readonly connections: number;
  /** Answers 200 a second: the middle one of the rounds. */
  readonly perSecond: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Part of the requests that was refused as too many (429, 503). */
  readonly refused: number;
}

export interface ThroughputOptions {
  readonly rounds: number;
  /** Of one measurement, in ms. */
  readonly durationMs: number;
}

const functionNumber = 1;
const containerNumber = 2;
/** A whole core: the gateway is to be measured, not the limit of the container. */
const cpu = 1_000;

/** @throws Error where anything was answered that is neither 200 nor a refusal */
export async function measureThroughput(
  world: World,
  { rounds, durationMs }: ThroughputOptions,
): Promise<Throughput[]> {
  await world.plane.serve(functionLease(functionNumber, functionOf(loginModule)));
  await world.plane.serve(containerLease(containerNumber));
  const workload = await world.containers.driver.start(webSpec(containerNumber, cpu));
  const instances = workload
    .status()
    .flatMap(({ address }) => (address === undefined ? [] : [{ address, ready: true }]));
  await world.plane.place(`${containerNumber}`, [{ service: 'web', instances }]);
  const targets: Readonly<Record<Kind, Target>> = {
    plain: world.plain,
    function: world.target(`f${functionNumber}`, 'POST', '/login', loginBody),
    container: world.target(`c${containerNumber}`, 'GET', staticPage),
  };
  const kinds = Object.keys(targets) as Kind[];
  for (const kind of kinds) await load(targets[kind], 8, durationMs);
  const results = new Map<string, LoadResult[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const connections of levels) {
      for (const kind of kinds) {
        const key = `${kind} ${connections}`;
        results.set(key, [...(results.get(key) ?? []), await load(targets[kind], connections, durationMs)]);
      }
    }
  }
  await workload.stop();
  await world.plane.withdraw(`${containerNumber}`);
  await world.plane.withdraw(`${functionNumber}`);
  return kinds.flatMap((kind) =>
    levels.map((connections) => summed(kind, connections, results.get(`${kind} ${connections}`) ?? [])),
  );
}

function summed(kind: Kind, connections: number, results: readonly LoadResult[]): Throughput {
  const failed = results.reduce((sum, one) => sum + one.failed, 0);
  if (failed > 0)
    throw new Error(`${kind}, ${connections} connections: ${failed} requests were not answered as they should`);
  const served = results.flatMap((one) => one.served);
  const refused = results.reduce((sum, one) => sum + one.refused.length, 0);
  return {
    ...{ kind, connections },
    perSecond: percentile(
      results.map((one) => one.served.length / one.seconds),
      0.5,
    ),
    p50: percentile(served, 0.5),
    p95: percentile(served, 0.95),
    p99: percentile(served, 0.99),
    refused: refused / Math.max(served.length + refused, 1),
  };
}
