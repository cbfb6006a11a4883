/** What callers of a saturated function, and those of another deployment, are told, and how soon. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from '../figures.ts';
import { askOnce, load } from './load.ts';
import { functionLease, functionOf, loginBody, loginModule, type World } from './world.ts';

export interface Overload {
  /** Until a refusal, in ms: p50 and p95. */
  readonly refusedP50: number;
  readonly refusedP95: number;
  readonly refusals: number;
  /** The other deployment's calls, in ms, and the part of them that was served. */
  readonly otherP95: number;
  readonly otherServed: number;
}

/** `(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))` */
const forEver = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 19, 2, 6, 0x6d, 0x65, 0x6d, 0x6f,
  0x72, 0x79, 2, 0, 6, 0x5f, 0x73, 0x74, 0x61, 0x72, 0x74, 0, 0, 10, 9, 1, 7, 0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b,
]);
const busyLease = 11;
const otherLease = 12;
/** Connections that go on asking the busy function. */
const askers = 16;

/** @throws Error where the busy function answers, or does not come to refuse */
export async function measureOverload(world: World, durationMs: number): Promise<Overload> {
  const file = join(world.folder, 'for-ever.wasm');
  writeFileSync(file, forEver);
  await world.plane.serve(functionLease(busyLease, functionOf(file, 300_000)));
  await world.plane.serve(functionLease(otherLease, functionOf(loginModule)));
  const other = world.target(`f${otherLease}`, 'POST', '/login', loginBody);
  const busy = world.target(`f${busyLease}`, 'POST', '/', '');
  await load(other, 1, 500);
  // As many as have an instance each never end; they are cut with the lease.
  const neverEnding = Array.from({ length: 4 }, () => askOnce(busy));
  for (let tries = 0; (await askOnce(busy)) !== 429; tries += 1) {
    if (tries > 100) throw new Error('the busy function does not come to refuse');
  }
  const [told, served] = await Promise.all([load(busy, askers, durationMs), load(other, 1, durationMs)]);
  await world.plane.withdraw(`${busyLease}`);
  await world.plane.withdraw(`${otherLease}`);
  await Promise.all(neverEnding);
  if (told.failed > 0 || told.served.length > 0) throw new Error('a call of the busy function was not refused');
  return {
    refusedP50: percentile(told.refused, 0.5),
    refusedP95: percentile(told.refused, 0.95),
    refusals: told.refused.length,
    otherP95: percentile(served.served, 0.95),
    otherServed: served.served.length / Math.max(served.served.length + served.refused.length + served.failed, 1),
  };
}
