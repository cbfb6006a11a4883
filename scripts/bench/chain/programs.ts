/** The programs of a comparison: CometBFT, the Go chain and the load, built once from the sources of the peers. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { requireCometbft } from '../../lib/cometbft.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..', '..');

export interface Programs {
  readonly cometbft: string;
  /** a Cosmos SDK chain in Go */
  readonly peerd: string;
  /** pre-signed load for any Cosmos chain */
  readonly peerload: string;
  /** the script that sets up the Go chain's home */
  readonly runScript: string;
}

/**
 * Where MU_PEERD and MU_PEERLOAD do not name them, they are built from `gochain` and `load` in MU_PEERS (else in
 * `../shared/peers` beside the repository) into the cache folder; that takes a few minutes once.
 * @throws Error that says what is missing
 */
export async function findPrograms(say: (text: string) => void): Promise<Programs> {
  const peers = resolve(process.env['MU_PEERS'] ?? join(root, '..', 'shared', 'peers'));
  if (!existsSync(join(peers, 'gochain', 'run.sh'))) {
    throw new Error(`${peers} does not hold the peers gochain and load: name their folder with MU_PEERS`);
  }
  return {
    cometbft: await requireCometbft({ say }),
    peerd: process.env['MU_PEERD'] ?? (await build(join(peers, 'gochain'), 'peerd', say)),
    peerload: process.env['MU_PEERLOAD'] ?? (await build(join(peers, 'load'), 'peerload', say)),
    runScript: join(peers, 'gochain', 'run.sh'),
  };
}

async function build(source: string, name: string, say: (text: string) => void): Promise<string> {
  const folder = join(root, '.cache', 'peers');
  const program = join(folder, name);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  say(`building ${name} (go build); once, and it takes a few minutes`);
  await run('go', ['build', '-o', program, '.'], { cwd: source, maxBuffer: 1 << 26 });
  return program;
}
