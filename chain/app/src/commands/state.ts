/** `mud export`, `rollback`, `prune`: the state of a node that stands still. */
import type { Command } from 'commander';
import { configOf, homeOf, print, type Register, type SettingFlags, say, withSettings } from './shared.ts';

export const registerState: Register = (mud) => {
  mud
    .command('export')
    .description('the state as a genesis, from which a chain goes on')
    .option('--height <number>', 'of a version that is kept; the latest unless it is given', '0')
    .option('--output-document <file>', 'where to write it; stdout unless it is given')
    .action(exportState);
  mud
    .command('rollback')
    .description('go back one block, which is executed again: after an upgrade that computed something wrong')
    .option('--hard', 'CometBFT is to forget the block too (with engine cometbft)', false)
    .action(rollback);
  withSettings(
    mud.command('prune').description('forget the versions of the state that the config does not keep'),
  ).action(prune);
};

async function exportState(
  flags: { readonly height: string; readonly outputDocument?: string },
  command: Command,
): Promise<void> {
  const [{ exportGenesis }, { writeGenesis }, { printParts }] = await Promise.all([
    import('../node/state-tools.ts'),
    import('../node/genesis.ts'),
    import('@mu/lib/json-parts'),
  ]);
  const genesis = await exportGenesis(homeOf(command), await configOf(command), heightOf(flags.height));
  if (flags.outputDocument !== undefined) {
    writeGenesis(flags.outputDocument, genesis);
    return;
  }
  for (const part of printParts(genesis)) process.stdout.write(part);
  process.stdout.write('\n');
}

async function rollback({ hard }: { readonly hard: boolean }, command: Command): Promise<void> {
  const { rollbackState } = await import('../node/state-tools.ts');
  const [home, config] = [homeOf(command), await configOf(command)];
  if (config.engine.kind === 'solo' && hard) {
    throw new Error(
      '--hard removes a block, and the validator of the embedded engine has signed it: it would never sign another of that height; leave --hard out, and the block is executed again',
    );
  }
  print(await rollbackState(home, config));
  if (config.engine.kind === 'cometbft') {
    say(`now run \`cometbft rollback${hard ? ' --hard' : ''} --home <home of CometBFT>\`, before either is started`);
  }
}

async function prune(flags: SettingFlags, command: Command): Promise<void> {
  const { pruneState } = await import('../node/state-tools.ts');
  print(await pruneState(homeOf(command), await configOf(command, flags)));
}

function heightOf(text: string): bigint {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`height ${text}: it is a whole number`);
  return BigInt(text);
}
