/**
 * `npm run bench:manifests`: how long a manifest takes to the last peer, and what its first holder sends, against the
 * number of peers; and the same for a single piece, which spreads by doubling. A simulation: its clock is its own, so the
 * figures are the same on every machine. `--real` and `--daemons` measure the same on this one.
 */
import { parseArgs } from 'node:util';
import { pieceMs, type SpreadFigures, spread } from '../simulate-manifests/figures.ts';
import { type RealFigures, spreadForReal } from '../simulate-manifests/real.ts';
import { usualLine, usualPieceBytes } from '../simulate-manifests/scenario.ts';
import { type DaemonsFigures, spreadAmongDaemons } from './manifests/daemons.ts';

const usage = `npm run bench:manifests [-- OPTIONS]

  --peers LIST     how many peers share, the first holder among them (2,8,64,512)
  --pieces N       of the manifest (64)
  --seed N         of the simulation (1)
  --real           real daemons' exchanges on this host, by TLS, with disks and rate limits, instead of the simulation;
                   2 and 8 peers unless --peers says otherwise
  --daemons N      a chain, a user who leaves, and N whole daemons with such lines: a deployment of two of them, then one
                   of all
  --json           one JSON object a line, the last one sums up
`;

const { values } = parseArgs({
  options: {
    peers: { type: 'string' },
    real: { type: 'boolean', default: false },
    daemons: { type: 'string' },
    pieces: { type: 'string', default: '64' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function print(figures: SpreadFigures): void {
  const { peers, pieces, lastPeerMs, pieceTimes, firstHolderCopies } = figures;
  if (values.json) console.log(JSON.stringify(figures));
  else {
    const name = `${peers} peers, ${pieces} piece${pieces === 1 ? '' : 's'}`;
    const time = `last peer ${Math.round(lastPeerMs)} ms (${pieceTimes.toFixed(1)} piece times)`;
    console.log(`${name}: ${time}, first holder ${firstHolderCopies.toFixed(2)} copies`);
  }
}

/** As wide as the simulated line. */
async function real(counts: readonly number[], pieces: number): Promise<void> {
  const all: RealFigures[] = [];
  for (const peers of counts) {
    const figures = await spreadForReal(peers, pieces, usualLine.up);
    all.push(figures);
    const { lastPeerMs, firstHolderCopies } = figures;
    const text = `last peer ${Math.round(lastPeerMs)} ms, first holder ${firstHolderCopies.toFixed(2)} copies`;
    console.log(values.json ? JSON.stringify(figures) : `${peers} peers for real, ${pieces} pieces: ${text}`);
  }
  sumUp(all);
}

/** @throws Error with the usage for what is no number of daemons */
async function daemons(most: number, pieces: number): Promise<void> {
  if (!Number.isInteger(most) || most < 2) throw new Error(usage);
  const fileBytes = pieces * usualPieceBytes;
  const tell = ({ peers, lastPeerMs, firstHolderCopies, copyMs }: DaemonsFigures): void => {
    const time = `last peer ${Math.round(lastPeerMs)} ms (a copy takes ${Math.round(copyMs)})`;
    const text = `${peers} daemons, ${pieces} pieces: ${time}, first holder ${firstHolderCopies.toFixed(2)} copies`;
    console.log(values.json ? JSON.stringify({ peers, pieces, lastPeerMs, firstHolderCopies }) : text);
  };
  const counts = [...new Set([2, most])];
  sumUp(await spreadAmongDaemons({ counts, fileBytes, rateBytes: usualLine.up }, tell));
}

function sumUp(all: readonly Pick<RealFigures, 'peers' | 'lastPeerMs' | 'firstHolderCopies'>[]): void {
  const byPeers = (of: (figures: (typeof all)[number]) => number): Record<string, number> =>
    Object.fromEntries(all.map((figures) => [figures.peers, of(figures)]));
  console.log(
    JSON.stringify({
      last_peer_ms: byPeers(({ lastPeerMs }) => Math.round(lastPeerMs)),
      first_holder_copies: byPeers(({ firstHolderCopies }) => Number(firstHolderCopies.toFixed(3))),
    }),
  );
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const [counts, pieces, seed] = [
    (values.peers ?? (values.real ? '2,8' : '2,8,64,512')).split(',').map(Number),
    Number(values.pieces),
    Number(values.seed),
  ];
  if (![...counts, pieces].every((one) => Number.isInteger(one) && one > 0) || !Number.isInteger(seed)) {
    throw new Error(usage);
  }
  if (values.daemons !== undefined) return daemons(Number(values.daemons), pieces);
  if (values.real) return real(counts, pieces);
  if (!values.json) {
    const { up, latencyMs } = usualLine;
    const line = `${(8 * up) / 1e6} Mbit/s either way, ${2 * latencyMs} ms apart`;
    console.log(`${line}, pieces of ${usualPieceBytes / 1024} KiB, each ${Math.round(pieceMs)} ms`);
  }
  const all = counts.map((peers) => {
    const figures = spread(peers, pieces, seed);
    print(figures);
    return figures;
  });
  for (const peers of counts) print(spread(peers, 1, seed));
  sumUp(all);
}

await main();
