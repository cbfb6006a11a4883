/** `mu-provider`: sells what a datacenter has to spare. */
import { CommanderError } from 'commander';
import { program } from './program.ts';

try {
  await program().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`mu-provider: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
