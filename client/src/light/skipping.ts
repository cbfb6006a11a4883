/** Verification that skips headers, halving the way where the validators changed too much (light/client.go). */
import type { BlockSource } from './block-source.ts';
import { LightError } from './errors.ts';
import type { LightBlock } from './light-block.ts';
import { type VerifyRules, verify } from './verify.ts';

/** Where the next header is looked for between two: a little behind the middle, as CometBFT does. */
const pivotNumerator = 9n;
const pivotDenominator = 16n;

/**
 * Verifies a block from a trusted one, with headers in between from the source where they are needed.
 * @returns the blocks from the trusted one to the target, each verified from the one before
 * @throws LightError named after the source
 */
export async function verifySkipping(
  source: BlockSource,
  trusted: LightBlock,
  target: LightBlock,
  rules: VerifyRules,
): Promise<readonly LightBlock[]> {
  /** blocks still to be verified, the target first, the nearest to the verified one last */
  let waiting: LightBlock[] = [target];
  let depth = 0;
  let verified = trusted;
  const trace = [trusted];
  for (;;) {
    const next = waiting[depth] as LightBlock;
    if (tryVerify(verified, next, rules, source)) {
      trace.push(next);
      if (depth === 0) return trace;
      verified = next;
      waiting = waiting.slice(0, depth);
      depth = 0;
      continue;
    }
    if (depth === waiting.length - 1) {
      const from = verified.header.height;
      const pivot = from + ((next.header.height - from) * pivotNumerator) / pivotDenominator;
      waiting.push(await source.lightBlock(pivot));
    }
    depth++;
  }
}

/** False when a header in between may help. */
function tryVerify(verified: LightBlock, next: LightBlock, rules: VerifyRules, source: BlockSource): boolean {
  try {
    verify(verified, next, rules);
    return true;
  } catch (error) {
    if (!(error instanceof LightError)) throw error;
    if (error.kind === 'untrusted_validators') return false;
    throw error.from(source.name);
  }
}
