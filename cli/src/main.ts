/** The command line of Mu. Everything heavy is loaded by the command that needs it. */
import { messageOf } from '@mu/lib/error-message';
import { Command, CommanderError, Option } from 'commander';
import { settingNames } from './config.ts';
import { deploymentCommand, leaseCommand, messageCommand, providerMessages } from './deployment-commands.ts';
import { CliError, exitCodes } from './errors.ts';
import { billCommand, marketCommand, providerCommand, runwayCommand } from './market-commands.ts';
import { ofCreate, run, settingOption } from './run.ts';
import { logsCommand, tenantCommand } from './tenant-commands.ts';

function keysCommand(): Command {
  const keys = new Command('keys').description('encrypted keys of accounts');
  keys
    .command('add <name>')
    .description('make a key of 24 words')
    .action(run(async (session, [name = '']) => (await import('./commands/keys.ts')).addKey(session, name)));
  keys
    .command('import <name>')
    .description('take over a key from its words')
    .option('--mnemonic-file <file>', 'file with the words, - for standard input')
    .action(
      run(async (session, [name = ''], flags) =>
        (await import('./commands/keys.ts')).importKey(session, name, flags['mnemonicFile'] as string | undefined),
      ),
    );
  keys
    .command('export <name>')
    .description('show the words of a key')
    .action(run(async (session, [name = '']) => (await import('./commands/keys.ts')).exportKey(session, name)));
  keys
    .command('access <file>')
    .description(
      'make an access key, which may act for you at the providers of a deployment, and show what the chain needs',
    )
    .action(run(async (session, [file = '']) => (await import('./commands/keys.ts')).makeAccessKey(session, file)));
  keys
    .command('list')
    .description('names and addresses')
    .action(run(async (session) => (await import('./commands/keys.ts')).listKeys(session)));
  keys
    .command('show <name>')
    .description('the address of a key')
    .action(run(async (session, [name = '']) => (await import('./commands/keys.ts')).showKey(session, name)));
  keys
    .command('delete <name>')
    .description('delete a key from this machine')
    .option('--yes', 'do not ask')
    .action(
      run(async (session, [name = ''], flags) =>
        (await import('./commands/keys.ts')).deleteKey(session, name, flags['yes'] === true),
      ),
    );
  return keys;
}

function upgradeCommand(): Command {
  const upgrade = new Command('upgrade').description('upgrades of the chain, by its authority');
  upgrade
    .command('software-upgrade <name>')
    .description('plan an upgrade: at its height nodes that do not know it stop')
    .option('--upgrade-height <height>', 'the block before which nodes change their program')
    .option('--upgrade-info <text>', 'for operators and cosmovisor, like where the program is', '')
    .action(
      run(async (session, [name = ''], flags) =>
        (await import('./commands/upgrade.ts')).planUpgrade(session, name, flags as never),
      ),
    );
  upgrade
    .command('cancel-software-upgrade')
    .alias('cancel')
    .description('drop the plan that stands')
    .action(run(async (session) => (await import('./commands/upgrade.ts')).cancelUpgrade(session)));
  return upgrade;
}

function txCommand(): Command {
  const tx = new Command('tx').description('sign and send');
  const bank = tx.command('bank').description('coins');
  bank
    .command('send <to> <amount>')
    .description('send coins, like 1000umu')
    .action(
      run(async (session, [to = '', amount = '']) =>
        (await import('./commands/bank.ts')).sendCoins(session, to, amount),
      ),
    );
  tx.addCommand(deploymentCommand());
  tx.addCommand(leaseCommand());
  tx.addCommand(providerMessages());
  tx.addCommand(upgradeCommand());
  for (const module of ['market', 'billing', 'consensus']) tx.addCommand(messageCommand(module));
  return tx;
}

function queryCommand(): Command {
  const query = new Command('query').description(
    'ask the chain: bank, provider, deployment, market, billing, upgrade, consensus',
  );
  query
    .command('bank [address]')
    .description('balances of an address; of the own key where absent')
    .action(run(async (session, [address]) => (await import('./commands/bank.ts')).showBalance(session, address)));
  for (const module of ['provider', 'deployment', 'market', 'billing', 'upgrade', 'consensus']) {
    query
      .command(`${module} [words...]`)
      .description(`queries of the ${module} module; without a name they are listed`)
      .allowUnknownOption()
      .action(
        run(async (session, words) => (await import('./commands/query.ts')).runQuery(session, [module, ...words])),
      );
  }
  return query;
}

function program(): Command {
  const mucli = new Command('mucli')
    .description('the command line of Mu, a cloud without an owner')
    .version('0.1.0')
    .exitOverride();
  mucli.option('--home <folder>', 'folder of config, keys and manifests (~/.mu)');
  mucli.addOption(new Option('--output <form>', 'text or json').choices(['text', 'json']).default('text'));
  for (const name of settingNames) if (!ofCreate.includes(name)) mucli.option(...settingOption(name));
  mucli.addCommand(keysCommand());
  mucli.addCommand(txCommand());
  mucli.addCommand(queryCommand());
  mucli
    .command('trust')
    .description('what to name as the root of trust: the hash of the genesis, and the newest block')
    .option('--genesis <file>', 'a genesis file, in place of what the node says')
    .action(
      run(async (session, _args, flags) =>
        (await import('./commands/trust.ts')).showTrust(session, flags['genesis'] as string | undefined),
      ),
    );
  mucli.addCommand(marketCommand());
  mucli.addCommand(billCommand());
  mucli.addCommand(runwayCommand());
  mucli.addCommand(providerCommand());
  mucli.addCommand(tenantCommand());
  mucli.addCommand(logsCommand());
  return mucli;
}

/** An error of the light client, which is not loaded where it is not used. */
function isUnproved(error: unknown): error is Error & { readonly kind: string; readonly fault?: string } {
  return error instanceof Error && error.name === 'LightError' && 'kind' in error;
}

/** What went wrong, in words, and the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const message = messageOf(error);
  if (isUnproved(error)) {
    process.stderr.write(`mucli: not proved (${[error.kind, error.fault].filter(Boolean).join(', ')}): ${message}\n`);
    return exitCodes.unproved;
  }
  process.stderr.write(`mucli: ${message}\n`);
  return error instanceof CliError ? error.exitCode : exitCodes.failed;
}

try {
  await program().parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}
