/** The command line of Mu. Everything heavy is loaded by the command that needs it. */
import { Command, CommanderError, Option } from 'commander';
import { flagOf, homeFolder, loadConfig, type SettingName, settingNames, settings } from './config.ts';
import { CliError, exitCodes } from './errors.ts';
import { createOutput } from './output.ts';
import { Session } from './session.ts';

type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** Runs a command with a session made of the flags that stand anywhere on the line. */
function run(
  action: (session: Session, args: readonly string[], flags: Flags) => Promise<void>,
): (...params: unknown[]) => Promise<void> {
  return async (...params) => {
    const command = params.at(-1) as Command;
    const flags = command.optsWithGlobals() as Flags;
    const named = Object.fromEntries(
      settingNames.flatMap((name) => {
        const value = flags[camel(name)];
        return value === undefined ? [] : [[name, String(value)]];
      }),
    ) as Partial<Record<SettingName, string>>;
    const config = await loadConfig(homeFolder(flags['home'] as string | undefined, process.env), named, process.env);
    const session = new Session(config, createOutput(flags['output'] === 'json'));
    try {
      await action(
        session,
        command.processedArgs
          .flat()
          .filter((arg) => arg !== undefined)
          .map(String),
        flags,
      );
    } finally {
      session.close();
    }
  };
}

/** Settings that are flags of `tx deployment create` alone: elsewhere their names are filters of queries. */
const ofCreate: readonly SettingName[] = ['region', 'max_price'];

function settingOption(name: SettingName): [string, string] {
  const { default: value, doc } = settings[name];
  if ('bare' in settings[name]) return [flagOf(name), doc];
  return [`${flagOf(name)} <value>`, value === '' ? doc : `${doc} (${value})`];
}

function camel(name: string): string {
  return name.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
}

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

function deploymentCommand(): Command {
  const deployment = new Command('deployment').description('what you want to run');
  deployment
    .command('create <stack>')
    .description('submit a stack file, deliver its manifest, end with the address')
    .option(...settingOption('region'))
    .option(...settingOption('max_price'))
    .option('--dseq <number>', 'sequence of the deployment; the next one where absent')
    .option('--deposit <amount>', 'first deposit into the escrow, in base units')
    .option('--timeout <blocks>', 'blocks to wait for a bid', '60')
    .option('--watch', 'stay, and deliver the manifest again whenever a new provider takes over')
    .option('--yes', 'sign without asking')
    .action(
      run(async (session, [stack = ''], flags) =>
        (await import('./commands/deployment.ts')).createDeployment(session, stack, flags as never),
      ),
    );
  deployment
    .command('cancel <dseq>')
    .description('end a deployment and its leases')
    .action(
      run(async (session, [dseq = '']) => (await import('./commands/deployment.ts')).cancelDeployment(session, dseq)),
    );
  deployment
    .command('deposit <dseq> <amount>')
    .description('add coins to the escrow')
    .option('--owner <address>', 'owner of the deployment; yourself where absent')
    .action(
      run(async (session, [dseq = '', amount = ''], flags) =>
        (await import('./commands/deployment.ts')).depositInto(
          session,
          dseq,
          amount,
          flags['owner'] as string | undefined,
        ),
      ),
    );
  return deployment;
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
  tx.addCommand(upgradeCommand());
  for (const module of ['provider', 'market', 'billing', 'consensus']) {
    tx.command(`${module} [message] [file]`)
      .description(`any message of the ${module} module, from a JSON file`)
      .action(
        run(async (session, [message, file]) =>
          (await import('./commands/message.ts')).sendMessage(session, module, message, file),
        ),
      );
  }
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
  const deployment = mucli.command('deployment').description('what runs');
  deployment
    .command('send-manifest <dseq>')
    .description('deliver the manifest again to every holder of a lease that lacks it')
    .action(
      run(async (session, [dseq = '']) => (await import('./commands/deployment.ts')).sendManifest(session, dseq)),
    );
  mucli
    .command('logs <lease>')
    .description('log lines of the workloads of a lease')
    .option('--follow', 'go on as lines come')
    .option('--tail <lines>', 'how many old lines', '100')
    .action(
      run(async (session, [lease = ''], flags) =>
        (await import('./commands/logs.ts')).showLogs(session, lease, flags as never),
      ),
    );
  return mucli;
}

/** An error of the light client, which is not loaded where it is not used. */
function isUnproved(error: unknown): error is Error & { readonly kind: string; readonly fault?: string } {
  return error instanceof Error && error.name === 'LightError' && 'kind' in error;
}

/** What went wrong, in words, and the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  const message = error instanceof Error ? error.message : String(error);
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
