/** Measures one size in a process of its own, so that memory is its own: `child.ts '{…}'` prints JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MarketFigures, type MarketOptions, measureMarket } from './measure.ts';

/** Large enough for as many blocks as are measured, small enough to take a few seconds. */
const warmSize = 4_000;

async function inFolder(options: Omit<MarketOptions, 'folder'>): Promise<MarketFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-market-'));
  try {
    return await measureMarket({ ...options, folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const options = JSON.parse(process.argv[2] ?? '{}') as Omit<MarketOptions, 'folder'>;
// What the first market of a process takes is V8's compiler as much as the application.
if (options.size >= 1_000) await inFolder({ ...options, size: warmSize });
console.log(JSON.stringify(await inFolder(options)));
