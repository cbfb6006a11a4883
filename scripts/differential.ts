/**
 * The same random operations for our state and for cosmos/iavl in Go: deletes, many versions, reloads, prunings, going
 * back; roots, nodes, values and proofs are compared. The last line is one JSON object.
 * The state over LMDB takes a version's operations as a block does: sorted, each key once; the tree alone takes any order too.
 *
 *   npm run differential -- [--ops 1000000] [--seed 1] [--store tree|lmdb|both] [--keep 30]
 */

import { parseArgs } from 'node:util';
import { messageOf } from '@mu/lib/error-message';
import { buildProgram, findGo, goHint } from './differential/go-program.ts';
import { DifferentialRun, type RunResult } from './differential/run.ts';
import { LmdbSubject, type Subject, TreeSubject } from './differential/subjects.ts';

const stores: Record<string, (keep: number) => Subject> = {
  tree: () => new TreeSubject(),
  lmdb: (keep) => new LmdbSubject(keep),
};

const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    store: { type: 'string', default: 'both' },
    keep: { type: 'string', default: '30' },
  },
});

function number(name: 'ops' | 'seed' | 'keep', least: number): number {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} is a whole number from ${least} on`);
  return value;
}

async function main(): Promise<void> {
  const [ops, seed, keep] = [number('ops', 1), number('seed', 0), number('keep', 2)];
  const names = values.store === 'both' ? Object.keys(stores) : [values.store];
  const unknown = names.find((name) => stores[name] === undefined);
  if (unknown !== undefined) throw new Error(`--store is tree, lmdb or both, not ${unknown}`);
  const go = findGo();
  if (go === undefined) throw new Error(`no Go was found, so NOTHING WAS COMPARED; ${goHint}`);
  const program = await buildProgram(go);
  const results: Record<string, RunResult & { readonly seconds: number }> = {};
  for (const name of names) results[name] = await runOne(name, { ops, seed, program, keep });
  const sum = (field: 'ops' | 'versions'): number =>
    names.reduce((total, name) => total + (results[name]?.[field] ?? 0), 0);
  const last = { differential: 'ok', ops: sum('ops'), versions: sum('versions'), seed, stores: results };
  process.stdout.write(`${JSON.stringify(last)}\n`);
}

async function runOne(name: string, options: { ops: number; seed: number; program: string; keep: number }) {
  const began = performance.now();
  const subject = (stores[name] as (keep: number) => Subject)(options.keep);
  try {
    const progress = (done: object): void => void process.stderr.write(`${name}: ${JSON.stringify(done)}\n`);
    const result = await new DifferentialRun(subject, { ...options, progress }).run();
    return { ...result, seconds: Math.round((performance.now() - began) / 100) / 10 };
  } finally {
    await subject.close();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`differential: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
