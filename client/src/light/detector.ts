/**
 * The second wall: what was verified from one node is compared with what others show (light/detector.go). Needs one honest
 * node among all; finds out that there is an attack, not by whom.
 */
import { equalBytes } from '@mu/lib/bytes';
import type { BlockSource } from './block-source.ts';
import { LightError } from './errors.ts';
import { AttackError, type Divergence, divergenceOf } from './evidence.ts';
import { hashOf, type LightBlock, nanosOf } from './light-block.ts';
import { verifySkipping } from './skipping.ts';
import type { VerifyRules } from './verify.ts';

/** How long a witness that is behind is waited for. */
export interface WitnessPatience {
  readonly waitMs: number;
  readonly pollMs: number;
  readonly pause: (ms: number) => Promise<void>;
}

type Comparison =
  | { readonly kind: 'same' }
  /** it has another block at that height, or a later time below it */
  | { readonly kind: 'conflict'; readonly block: LightBlock }
  /** it cannot say, which does not speak against it */
  | { readonly kind: 'silent' }
  /** it showed something invalid */
  | { readonly kind: 'bad'; readonly error: unknown };

export interface Detector {
  readonly primary: BlockSource;
  readonly witnesses: readonly BlockSource[];
  readonly patience: WitnessPatience;
}

/**
 * Compares the last block of a verified trace with every witness.
 * @returns the witnesses that showed something invalid and should not be asked again
 * @throws AttackError when a witness can prove another block; LightError of kind no_witness when nobody confirms
 */
export async function detectDivergence(
  { primary, witnesses, patience }: Detector,
  trace: readonly LightBlock[],
  rules: VerifyRules,
): Promise<readonly BlockSource[]> {
  const target = trace.at(-1) as LightBlock;
  const answers = await Promise.all(witnesses.map((witness) => compareWithWitness(witness, target, patience)));
  const bad: BlockSource[] = [];
  for (const [index, answer] of answers.entries()) {
    const witness = witnesses[index] as BlockSource;
    if (answer.kind === 'conflict') {
      const divergences = await examineConflict(primary, witness, trace, answer.block, rules);
      if (divergences.length > 0) throw new AttackError(primary.name, witness.name, divergences);
    }
    if (answer.kind === 'bad' || answer.kind === 'conflict') bad.push(witness);
  }
  if (answers.some(({ kind }) => kind === 'same')) return bad;
  throw new LightError(
    `none of ${witnesses.map(({ name }) => name).join(', ')} confirmed the block of height ${target.header.height}`,
    { kind: 'no_witness', height: target.header.height, source: primary.name },
  );
}

/** Asks one witness for the block of this height. Its proposers' priorities are no part of a header and not compared. */
export async function compareWithWitness(
  witness: BlockSource,
  target: LightBlock,
  patience: WitnessPatience,
): Promise<Comparison> {
  const compare = (block: LightBlock): Comparison =>
    equalBytes(hashOf(block), hashOf(target)) ? { kind: 'same' } : { kind: 'conflict', block };
  try {
    return compare(await witness.lightBlock(target.header.height));
  } catch (error) {
    if (!(error instanceof LightError)) return { kind: 'bad', error };
    if (error.kind === 'height_too_high') return waitForWitness(witness, target, patience, compare);
    return error.benign ? { kind: 'silent' } : { kind: 'bad', error };
  }
}

/**
 * A witness below the height lags behind, or the primary shows a block from a future that does not exist. In the wait an
 * honest witness reaches the height, or a time that shows the lie.
 */
async function waitForWitness(
  witness: BlockSource,
  target: LightBlock,
  { waitMs, pollMs, pause }: WitnessPatience,
  compare: (block: LightBlock) => Comparison,
): Promise<Comparison> {
  const { height, time } = target.header;
  for (let waited = 0; ; waited += pollMs) {
    try {
      const latest = await witness.lightBlock();
      if (latest.header.height === height) return compare(latest);
      if (latest.header.height > height) return compare(await witness.lightBlock(height));
      if (nanosOf(latest.header.time) >= nanosOf(time)) return { kind: 'conflict', block: latest };
    } catch (error) {
      if (!(error instanceof LightError && error.benign)) return { kind: 'bad', error };
    }
    if (waited >= waitMs) return { kind: 'silent' };
    await pause(pollMs);
  }
}

/** Evidence against the primary and, where the primary can prove its side, against the witness; none if it cannot. */
async function examineConflict(
  primary: BlockSource,
  witness: BlockSource,
  trace: readonly LightBlock[],
  challenging: LightBlock,
  rules: VerifyRules,
): Promise<readonly Divergence[]> {
  const first = await examineAgainstTrace(trace, challenging, witness, rules);
  if (first === undefined) return [];
  const ofPrimary = first.block;
  const trusted = first.trace.at(-1) as LightBlock;
  const againstPrimary = divergenceOf(ofPrimary, trusted, first.trace[0] as LightBlock, primary.name);
  // The witness may be the liar: the same again with its trace and the primary's block.
  const second = await examineAgainstTrace(first.trace, ofPrimary, primary, rules);
  if (second === undefined) return [againstPrimary];
  const common = second.trace[0] as LightBlock;
  return [againstPrimary, divergenceOf(second.block, second.trace.at(-1) as LightBlock, common, witness.name)];
}

interface Bifurcation {
  /** what the source could prove, from the last common block to where the sides part */
  readonly trace: readonly LightBlock[];
  /** the block of the given trace there */
  readonly block: LightBlock;
}

/** Follows a verified trace with blocks of another source until they part; undefined when the source cannot. */
async function examineAgainstTrace(
  trace: readonly LightBlock[],
  target: LightBlock,
  source: BlockSource,
  rules: VerifyRules,
): Promise<Bifurcation | undefined> {
  const [root, ...rest] = trace as [LightBlock, ...LightBlock[]];
  if (target.header.height < root.header.height) return undefined;
  try {
    let previous = target.header.height === root.header.height ? target : await source.lightBlock(root.header.height);
    if (!equalBytes(hashOf(previous), hashOf(root))) return undefined;
    let sourceTrace: readonly LightBlock[] = [previous];
    for (const block of rest) {
      const { height, time } = block.header;
      if (height > target.header.height) {
        // A block from the future, with a time that the target has passed already.
        if (nanosOf(time) > nanosOf(target.header.time)) return undefined;
        if (previous.header.height !== target.header.height) {
          sourceTrace = await verifySkipping(source, previous, target, rules);
        }
        return { trace: sourceTrace, block };
      }
      const theirs = height === target.header.height ? target : await source.lightBlock(height);
      sourceTrace = await verifySkipping(source, previous, theirs, rules);
      if (!equalBytes(hashOf(theirs), hashOf(block))) return { trace: sourceTrace, block };
      previous = theirs;
    }
  } catch (error) {
    if (!(error instanceof LightError)) throw error;
  }
  return undefined;
}
