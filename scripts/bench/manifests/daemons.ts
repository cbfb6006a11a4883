/** The same for real: daemons on this machine with limited lines, and a manifest that the user hands to one of them. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  handOver,
  type Sharing,
  type Spread,
  spreadOf,
  startSharing,
  writeBinaries,
  writeSharedStack,
} from '../../../e2e/src/sharing.ts';

/** A function of the examples; `npm run build` in its folder makes it. */
const module = join(import.meta.dirname, '..', '..', '..', 'examples', 'login', 'build', 'simple_backend.wasm');

export interface DaemonsOptions {
  /** How many take part, the first holder among them: one deployment each. */
  readonly counts: readonly number[];
  /** Of the large file of the manifest. */
  readonly fileBytes: number;
  /** A second, of each daemon's line either way. */
  readonly rateBytes: number;
}

export interface DaemonsFigures extends Spread {
  /** The first holder among them. */
  readonly peers: number;
  /** What a copy takes at that rate. */
  readonly copyMs: number;
}

/** @param told told of each as it is there. Nothing is left running. */
export async function spreadAmongDaemons(
  { counts, fileBytes, rateBytes }: DaemonsOptions,
  told: (figures: DaemonsFigures) => void,
): Promise<DaemonsFigures[]> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-sharing-'));
  const sharing = await startSharing({ folder, blockIntervalMs: 500, providers: Math.max(...counts), rateBytes });
  try {
    const bytesOf = writeBinaries(sharing.network.path('stack'), readFileSync(module), fileBytes);
    const all: DaemonsFigures[] = [];
    for (const peers of counts) {
      const bytes = bytesOf(peers);
      const spread = await measure(sharing, peers, bytes);
      const figures = { peers, ...spread, copyMs: (1_000 * bytes) / rateBytes };
      told(figures);
      all.push(figures);
    }
    return all;
  } finally {
    sharing.client.disconnect();
    await sharing.network.stop();
  }
}

async function measure(sharing: Sharing, peers: number, bytes: number): Promise<Spread> {
  const among = sharing.holders.slice(0, peers);
  const parts = among.map((holder) => ({ holder, says: 'hello' }));
  const stack = writeSharedStack(sharing.network.path('stack'), `among-${peers}`, parts);
  return spreadOf(sharing, await handOver(sharing, 'create', stack), { among, bytes });
}
