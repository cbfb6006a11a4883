/** `mud`, the node of a Mu chain. Each group of commands is a file of commands/. */
import { Command, CommanderError } from 'commander';
import { registerConfig } from './commands/config.ts';
import { registerGenesis } from './commands/genesis.ts';
import { registerInit } from './commands/init.ts';
import { registerKeys } from './commands/keys.ts';
import { registerSnapshots } from './commands/snapshots.ts';
import { registerStart } from './commands/start.ts';
import { registerState } from './commands/state.ts';
import { registerVersion } from './commands/version.ts';

function program(): Command {
  const mud = new Command('mud').description('the node of a Mu chain').exitOverride();
  mud.option('--home <folder>', 'folder of the node (~/.mud)');
  for (const register of [
    registerInit,
    registerStart,
    registerGenesis,
    registerState,
    registerConfig,
    registerKeys,
    registerSnapshots,
    registerVersion,
  ])
    register(mud);
  return mud;
}

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
    process.stderr.write(`mud: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
