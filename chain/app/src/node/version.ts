/** What this program is. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cometVersion } from '../engine/block.ts';

/** The Cosmos SDK whose behaviour towards clients this program has. */
export const sdkLevel = '0.53';

export interface ProgramVersion {
  readonly name: string;
  readonly version: string;
  /** of the sources, in hex; empty where it is not known */
  readonly commit: string;
  readonly node: string;
  readonly cosmos_sdk_level: string;
  /** whose ABCI and RPC it speaks, and the one to run beside it */
  readonly cometbft: string;
}

const packageFolder = join(import.meta.dirname, '..', '..');
const checkout = join(packageFolder, '..', '..');

export function programVersion(): ProgramVersion {
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  return {
    name: 'mud',
    version,
    commit: commit(),
    node: process.version,
    cosmos_sdk_level: sdkLevel,
    cometbft: cometVersion,
  };
}

/** A package says it in a file `COMMIT`; in a checkout git knows it. */
function commit(): string {
  const file = join(checkout, 'COMMIT');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  // Some other repository around this folder would be none of ours.
  if (!existsSync(join(checkout, '.git'))) return '';
  try {
    return execFileSync('git', ['-C', checkout, 'rev-parse', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}
