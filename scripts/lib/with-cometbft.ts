/** Tests that need CometBFT: where it cannot be had they say so, loudly, and the rest runs. */
import { describe, test } from '@jest/globals';
import { cometbftHint, findCometbft } from './cometbft.ts';

/** The program, found or installed before the tests of a file are declared. */
const cometbft = await findCometbft({ say: (text) => process.stderr.write(`${text}\n`) });

/**
 * `describe` with the program's path. Where it is absent, one test stands in for the group, and its name and a warning
 * say that nothing of it was run.
 */
export function describeWithCometbft(title: string, body: (cometbft: string) => void): void {
  if (cometbft !== undefined) {
    describe(title, () => body(cometbft));
    return;
  }
  test(`NOT RUN, CometBFT is missing: ${title}`, () => {
    process.stderr.write(
      `\n*** NOT RUN: ${title}\n*** CometBFT and Go are missing on this machine: ${cometbftHint}\n\n`,
    );
  });
}
