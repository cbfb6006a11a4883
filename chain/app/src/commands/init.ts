/** `mud init`: the home folder of a new chain. */
import type { Command } from 'commander';
import { homeOf, print, type Register, type SettingFlags, withSettings } from './shared.ts';

interface InitFlags extends SettingFlags {
  readonly moniker: string;
  readonly prefix: string;
  readonly denom: string;
}

export const registerInit: Register = (mud) => {
  const command = mud
    .command('init <chain-id>')
    .description('make a home folder: config, keys, genesis with this node as validator')
    .option('--moniker <name>', 'name of the node', 'node')
    .option('--prefix <letters>', 'prefix of the addresses', 'mu')
    .option('--denom <denomination>', 'base denomination', 'umu');
  withSettings(command).action(init);
};

async function init(chainId: string, flags: InitFlags, command: Command): Promise<void> {
  const { initHome } = await import('../node/init.ts');
  const home = homeOf(command);
  const made = initHome(home, { ...flags, chainId, settings: flags.set, time: new Date().toISOString() });
  print({ home: home.root, chain_id: chainId, node_id: made.nodeId, validator: made.validator });
}
