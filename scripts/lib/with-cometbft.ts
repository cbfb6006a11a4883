/** Tests that need CometBFT: where it cannot be had they say so, loudly, and the rest runs. */

import { describe, test } from '@jest/globals';
import { messageOf } from '@mu/lib/error-message';
import { cometbftHint, findCometbft } from './cometbft.ts';

/** The program, found or installed before the tests of a file are declared; or why it is not there. */
const found = await look();

async function look(): Promise<{ readonly path: string } | { readonly why: string }> {
  try {
    const path = await findCometbft({ say: (text) => process.stderr.write(`${text}\n`) });
    return path === undefined ? { why: `CometBFT and Go are missing on this machine: ${cometbftHint}` } : { path };
  } catch (error) {
    // Who names a program means it; a machine without a network cannot install one.
    if ((process.env['MU_COMETBFT'] ?? '') !== '') throw error;
    return { why: messageOf(error) };
  }
}

/**
 * `describe` with the program's path. Where it is absent, one test stands in for the group, and its name and a warning
 * say that nothing of it was run.
 */
export function describeWithCometbft(title: string, body: (cometbft: string) => void): void {
  if ('path' in found) {
    const { path } = found;
    describe(title, () => body(path));
    return;
  }
  test(`NOT RUN, CometBFT is missing: ${title}`, () => {
    process.stderr.write(`\n*** NOT RUN: ${title}\n*** ${found.why}\n\n`);
  });
}
