/** How `mu-provider` ends. */
import { messageOf } from '@mu/lib/error-message';
import { CommanderError } from 'commander';

/**
 * Runs a command line: 0 where it did what it was asked, 2 for a line that it does not understand, 1 with a message where it
 * failed. Then it ends at once: a daemon that could not open one of its doors holds connections to what it has opened before,
 * and would stay for ever, serving nothing.
 */
export async function runProgram(parse: () => Promise<unknown>): Promise<void> {
  try {
    await parse();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    process.stderr.write(`mu-provider: ${messageOf(error)}\n`);
    process.exit(1);
  }
}
