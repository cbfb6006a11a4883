/** What a simulation is of. Sizes in bytes, times in milliseconds, rates in bytes a second. */

/** How a peer behaves. */
export type Character =
  | 'honest'
  /** each piece that it sends is false */
  | 'liar'
  /** claims and grants everything and sends nothing */
  | 'miser'
  /** asks for pieces without leave, again and again */
  | 'glutton';

export interface PeerPlan {
  readonly up: number;
  readonly down: number;
  readonly latencyMs: number;
  readonly character: Character;
  /** has everything in the beginning */
  readonly holder: boolean;
}

/** Something that befalls a peer. */
export type Mishap =
  /** gone for ever */
  | { readonly atMs: number; readonly kind: 'vanish'; readonly peer: number }
  /** gone, and back with what it had on the disk */
  | { readonly atMs: number; readonly kind: 'restart'; readonly peer: number; readonly backMs: number }
  /** peers below `border` and the others do not reach each other */
  | { readonly atMs: number; readonly kind: 'part'; readonly border: number; readonly healMs: number };

export interface Scenario {
  readonly seed: number;
  /** sizes of files, by manifest: the same peers exchange all of them at once */
  readonly manifests: readonly (readonly number[])[];
  readonly pieceBytes: number;
  readonly peers: readonly PeerPlan[];
  readonly mishaps: readonly Mishap[];
  /** given up after so long */
  readonly limitMs: number;
}

/** A line of 16 Mbit/s either way, 4 ms from everybody: a piece of 256 KiB takes 131 ms. */
export const usualLine = { up: 2_000_000, down: 2_000_000, latencyMs: 2 } as const;
export const usualPieceBytes = 262_144;

/** One holder, and peers like it that have nothing. */
export function usualScenario(peers: number, pieces: number, seed: number): Scenario {
  return {
    seed,
    manifests: [[pieces * usualPieceBytes]],
    pieceBytes: usualPieceBytes,
    peers: Array.from({ length: peers }, (_, at) => ({ ...usualLine, character: 'honest', holder: at === 0 })),
    mishaps: [],
    limitMs: 3_600_000,
  };
}
