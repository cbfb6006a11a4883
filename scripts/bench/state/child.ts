/** Measures one size in a process of its own, so that memory is its own: `child.ts blocks|commits '{…}'` prints JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlockOptions, measureBlocks } from './blocks.ts';
import { type CommitOptions, measureCommits } from './commits.ts';

const [kind, text = '{}'] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'mu-bench-state-'));
try {
  const options = JSON.parse(text) as CommitOptions & Omit<BlockOptions, 'folder'>;
  const figures =
    kind === 'commits'
      ? await measureCommits(folder, options.cacheMb, options)
      : await measureBlocks({ ...options, folder });
  console.log(JSON.stringify(figures));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
