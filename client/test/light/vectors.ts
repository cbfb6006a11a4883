/** What CometBFT's light package and ICS-23's Go module said: the output of test/vectors/gen. */
import { readFileSync } from 'node:fs';
import { fromBase64 } from '@mu/lib/bytes';
import { decodeLightBlock, type LightBlock } from '../../src/light/light-block.ts';

export type Verdict =
  | 'ok'
  | 'expired'
  | 'invalid_header'
  | 'untrusted_validators'
  | 'unverifiable'
  | 'attack'
  | 'no_witness';

export interface Answer {
  readonly verdict: Verdict;
  readonly text?: string;
  readonly got?: string;
  readonly needed?: string;
}

export interface VerifyCase {
  readonly name: string;
  readonly trusted: number;
  readonly untrusted: number;
  readonly periodNs: string;
  readonly driftNs: string;
  readonly nowNs: string;
  readonly level: readonly [string, string];
  readonly verify: Answer;
  readonly adjacent: Answer;
  readonly nonAdjacent: Answer;
}

export interface Scenario {
  readonly name: string;
  /** the primary's blocks, then each witness's */
  readonly chains: readonly (readonly number[])[];
  readonly root: string;
  readonly rootHash: string;
  readonly level: readonly [string, string];
  readonly periodNs: string;
  readonly driftNs: string;
  readonly nowNs: string;
  /** 0 is an update */
  readonly steps: readonly number[];
  /** of the start, then of each step up to the first that failed */
  readonly results: readonly (Answer & { readonly hash?: string })[];
  /** null where they depend on who answers first */
  readonly requests: readonly (readonly number[] | null)[];
  readonly evidence: readonly {
    readonly conflicting: string;
    readonly commonHeight: string;
    readonly byzantine: readonly string[];
    readonly power: string;
    readonly timeNs: string;
  }[];
}

export interface ProofCase {
  readonly name: string;
  readonly form: 'iavl' | 'simple';
  readonly root: string;
  readonly proof: string;
  readonly key: string;
  /** absent where absence is asked for */
  readonly value?: string;
  readonly valid: boolean;
}

interface Vectors {
  readonly chainId: string;
  readonly blocks: readonly string[];
  readonly verify: readonly VerifyCase[];
  readonly backwards: readonly (Answer & { name: string; trusted: number; untrusted: number })[];
  readonly basic: readonly { name: string; block: number; valid: boolean; text?: string }[];
  readonly scenarios: readonly Scenario[];
  readonly proofs: readonly ProofCase[];
}

export const vectors = JSON.parse(readFileSync(new URL('../vectors/light.json', import.meta.url), 'utf8')) as Vectors;

const decoded = new Map<number, LightBlock>();

/** A block of the table. @throws Error for a place that is not in it */
export function blockAt(place: number): LightBlock {
  const known = decoded.get(place);
  if (known !== undefined) return known;
  const text = vectors.blocks[place];
  if (text === undefined) throw new Error(`the vectors have no block ${place}`);
  const block = decodeLightBlock(fromBase64(text));
  decoded.set(place, block);
  return block;
}
