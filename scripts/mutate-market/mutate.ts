/** Breaks one rule at a time in a copy of the sources and asks who notices: the simulation, else the module's tests. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutant } from './mutants.ts';

/** Who noticed; `nobody`: the mutant survives. */
export type Catcher = 'simulation' | 'unit tests' | 'nobody';

export interface MutationOptions {
  /** a copy of the tree, made for this */
  readonly tree: string;
  readonly messages: number;
  readonly seed: number;
}

/** The broken text of a file. @throws Error where the rule's text does not stand there exactly once */
export function broken(text: string, { file, rule, from, to }: Mutant): string {
  const parts = text.split(from);
  if (parts.length !== 2)
    throw new Error(`x/${file}: the text of "${rule}" stands there ${parts.length - 1} times, not once`);
  return parts.join(to);
}

/** Breaks the rule in the copy, asks, and puts the file back. */
export function tryMutant(mutant: Mutant, options: MutationOptions): Catcher {
  const file = join(options.tree, 'x', mutant.file);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, broken(text, mutant));
  try {
    if (!simulates(options)) return 'simulation';
    return passesUnit(mutant, options) ? 'nobody' : 'unit tests';
  } finally {
    writeFileSync(file, text);
  }
}

/** Whether the simulation finds nothing. */
export function simulates({ tree, messages, seed }: MutationOptions): boolean {
  const flags = ['--messages', `${messages}`, '--seed', `${seed}`, '--chain-messages', '1000'];
  return ended(process.execPath, ['scripts/simulate-market.ts', ...flags], tree);
}

function passesUnit({ file }: Mutant, { tree }: MutationOptions): boolean {
  const jest = join(tree, 'node_modules', 'jest', 'bin', 'jest.js');
  const path = `/x/${file.split('/')[0]}/`;
  const flags = ['--experimental-vm-modules', jest, '--selectProjects', 'unit', '--testPathPatterns', path];
  return ended(process.execPath, flags, tree, { NODE_OPTIONS: '--experimental-vm-modules' });
}

/** Far above what a run takes; one that never ends has been noticed too. */
const timeoutMs = 600_000;

function ended(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): boolean {
  const options = { cwd, env: { ...process.env, ...env }, stdio: 'ignore', timeout: timeoutMs } as const;
  return spawnSync(program, args, options).status === 0;
}
