/**
 * Breaks rules of x/market, x/billing, x/deployment and x/provider one at a time, in a copy of the sources, and prints who
 * noticed: the simulation of the market, else the module's own tests. Ends with 1 where nobody did.
 *
 *   npm run mutate:market -- [--messages 6000] [--seed 1] [--only text]
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '@mu/lib/error-message';
import { copyTree } from './mutate-market/copy.ts';
import { mutants } from './mutate-market/mutants.ts';
import { type Catcher, simulates, tryMutant } from './mutate-market/mutate.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '6000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});

function whole(name: 'messages' | 'seed', least: number): number {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} is a whole number from ${least} on`);
  return value;
}

function main(): void {
  const chosen = mutants.filter(({ rule, file }) => `${file} ${rule}`.includes(values.only));
  if (chosen.length === 0) throw new Error(`no rule has "${values.only}" in its name or its file`);
  const tree = mkdtempSync(join(tmpdir(), 'mu-mutants-'));
  try {
    copyTree(resolve(import.meta.dirname, '..'), tree);
    const options = { tree, messages: whole('messages', 1), seed: whole('seed', 0) };
    if (!simulates(options)) throw new Error('the simulation finds a difference before anything is broken');
    const caught: Catcher[] = [];
    process.stdout.write('| rule | caught by |\n| --- | --- |\n');
    for (const mutant of chosen) {
      const by = tryMutant(mutant, options);
      caught.push(by);
      process.stdout.write(`| ${mutant.file.split('/')[0]}: ${mutant.rule} | ${by} |\n`);
    }
    const count = (by: Catcher): number => caught.filter((one) => one === by).length;
    const [simulation, unit, survived] = [count('simulation'), count('unit tests'), count('nobody')];
    process.stdout.write(
      `${JSON.stringify({ mutants: chosen.length, simulation, unit, survived, seed: options.seed })}\n`,
    );
    if (survived > 0) process.exitCode = 1;
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

try {
  main();
} catch (error) {
  process.stderr.write(`mutate: ${messageOf(error)}\n`);
  process.exitCode = 1;
}
