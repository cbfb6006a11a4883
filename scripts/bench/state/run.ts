/** Runs what measures a state of some size in a process of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BlockFigures } from './blocks.ts';
import type { CommitFigures } from './commits.ts';

/** Memory for nodes of the trees, as a node has it by default. */
const cacheMb = 192;

export function blockFigures(accounts: number, blocks = 5): Promise<BlockFigures> {
  return inChild('blocks', { accounts, blocks, cacheMb }) as Promise<BlockFigures>;
}

export function commitFigures(accounts: number, changed = 10_000, blocks = 10): Promise<CommitFigures> {
  return inChild('commits', { accounts, changed, blocks, cacheMb }) as Promise<CommitFigures>;
}

async function inChild(kind: string, options: object): Promise<unknown> {
  // Room for what is young, as the thread of the application has it.
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--max-semi-space-size=64',
    join(import.meta.dirname, 'child.ts'),
    kind,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, JSON.stringify(options)]);
  return JSON.parse(stdout) as unknown;
}
