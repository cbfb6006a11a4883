/** `mud`, the node of a Mu chain. */
import { messageOf } from '@mu/lib/error-message';
import { CommanderError } from 'commander';
import { program } from './commands/program.ts';

// Whoever reads the answer may have read enough of it, like `head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await program().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`mud: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
