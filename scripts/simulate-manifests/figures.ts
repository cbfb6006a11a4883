/** The figures of `npm run bench:manifests`, and what they should be. */
import { usualLine, usualPieceBytes, usualScenario } from './scenario.ts';
import { simulate } from './world.ts';

/** Milliseconds that the usual line takes for a full piece. */
export const pieceMs = (1_000 * usualPieceBytes) / usualLine.up;

/** Aims: of a manifest of at least 64 pieces, and of one of a single piece. */
export const aims = {
  /** last peer of 64 against the only one of 2 */
  lastPeer: 2,
  /** what the first holder sends */
  copies: 2,
  /** piece times of a single piece beyond log2 of the peers */
  beyondDoubling: 2,
} as const;

export interface SpreadFigures {
  readonly peers: number;
  readonly pieces: number;
  readonly lastPeerMs: number;
  readonly firstHolderCopies: number;
  /** the last peer's time in times of a piece */
  readonly pieceTimes: number;
}

/** One holder with so many pieces, and the others with nothing. @throws Error when somebody never got everything */
export function spread(peers: number, pieces: number, seed: number): SpreadFigures {
  const { lastPeerMs, firstHolderCopies } = simulate(usualScenario(peers, pieces, seed));
  if (lastPeerMs === undefined)
    throw new Error(`${peers} peers, ${pieces} pieces, seed ${seed}: somebody lacks pieces`);
  return { peers, pieces, lastPeerMs, firstHolderCopies, pieceTimes: lastPeerMs / pieceMs };
}
