/** The grammar of `mud`: each group of commands is a file beside this one. */
import { Command } from 'commander';
import { registerConfig } from './config.ts';
import { registerGenesis } from './genesis.ts';
import { registerInit } from './init.ts';
import { registerKeys } from './keys.ts';
import { registerSnapshots } from './snapshots.ts';
import { registerStart } from './start.ts';
import { registerState } from './state.ts';
import { registerVersion } from './version.ts';

const groups = [
  registerInit,
  registerStart,
  registerGenesis,
  registerState,
  registerConfig,
  registerKeys,
  registerSnapshots,
  registerVersion,
];

export function program(): Command {
  const mud = new Command('mud').description('the node of a Mu chain').exitOverride();
  mud.option('--home <folder>', 'folder of the node (~/.mud)');
  for (const register of groups) register(mud);
  return mud;
}
