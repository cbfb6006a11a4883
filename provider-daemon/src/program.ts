/** The commands of `mu-provider`. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { homeVariable, loadConfig } from './config/config.ts';
import { type ProviderConfig, settings } from './config/schema.ts';
import { addOperatorCommands } from './operators/commands/program.ts';
import { configFileName, identityFolder } from './setup/places.ts';

const print = (value: unknown): void =>
  void process.stdout.write(
    `${JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part))}\n`,
  );

function folderOf(command: Command): string {
  const { home } = command.optsWithGlobals() as { home?: string };
  return resolve(home ?? process.env[homeVariable] ?? join(homedir(), '.mu-provider'));
}

/** Settings given as flags: `--chain-id` → value. */
function flagsOf(command: Command): Record<string, string> {
  const given = command.optsWithGlobals() as Readonly<Record<string, string | undefined>>;
  return Object.fromEntries(
    settings.flatMap(({ flag }) => {
      const value = given[flag.slice(2).replace(/-(\w)/g, (_all, letter: string) => letter.toUpperCase())];
      return value === undefined ? [] : [[flag, value]];
    }),
  );
}

function configOf(command: Command): ProviderConfig {
  return loadConfig(join(folderOf(command), configFileName), { environment: process.env, flags: flagsOf(command) });
}

async function init(_flags: object, command: Command): Promise<void> {
  const { initProvider } = await import('./setup/init.ts');
  print(await initProvider(folderOf(command), flagsOf(command)));
}

async function register({ dryRun }: { readonly dryRun: boolean }, command: Command): Promise<void> {
  const [{ connectChain, senderOf }, { missingMessages, shownMessages }, { loadIdentity }] = await Promise.all([
    import('./setup/connect.ts'),
    import('./setup/register.ts'),
    import('./identity/identity.ts'),
  ]);
  const config = configOf(command);
  const client = await connectChain(config);
  try {
    const owner = await senderOf(config, client, 'owner');
    const operator = await senderOf(config, client, 'operator');
    const identity = loadIdentity(identityFolder(config));
    const messages = await missingMessages({
      client,
      config,
      identity,
      owner: owner.address,
      operator: operator.address,
    });
    if (dryRun) {
      print({ provider: owner.address, operator: operator.address, messages: shownMessages(messages) });
      return;
    }
    const tx = messages.length === 0 ? undefined : await owner.sendAndWait(messages);
    const did = messages.map(({ typeUrl }) => typeUrl.slice(typeUrl.lastIndexOf('.') + 1));
    print({ provider: owner.address, operator: operator.address, sent: did, height: tx?.height, hash: tx?.hash });
  } finally {
    client.disconnect();
  }
}

async function start(_flags: object, command: Command): Promise<void> {
  const [{ pino }, { startDaemon }, { lossyDestination }] = await Promise.all([
    import('pino'),
    import('./daemon.ts'),
    import('./setup/lossy-destination.ts'),
  ]);
  const config = configOf(command);
  const log = pino({ level: config.node.logLevel, base: { node: config.node.id } }, lossyDestination(2));
  const daemon = await startDaemon(config, log);
  print({ gateway: daemon.gatewayUri, host_port: daemon.hostPort });
  const { promise: asked, resolve: ask } = Promise.withResolvers<'leave' | 'end'>();
  // A service manager that restarts the daemon lets the data plane serve on; Ctrl-C is a person who wants it all to end.
  process.once('SIGTERM', () => ask('leave'));
  process.once('SIGINT', () => ask('end'));
  await daemon.stop(await asked);
}

/** Ends what outlives the daemon, which must have ended before. */
async function stop(options: { readonly workloads: boolean }, command: Command): Promise<void> {
  const [{ stopAll }, { loadIdentity }] = await Promise.all([
    import('./setup/stop.ts'),
    import('./identity/identity.ts'),
  ]);
  const config = configOf(command);
  print(await stopAll(config, loadIdentity(identityFolder(config)).name.provider, options));
}

/** The command line, whole; nothing runs before it is parsed. */
export function program(): Command {
  const provider = new Command('mu-provider')
    .description('sells what a datacenter has to spare')
    .version('0.1.0')
    .exitOverride();
  provider.option('--home <folder>', 'folder of config, keys and data (~/.mu-provider)');
  for (const { flag, path, setting } of settings) provider.option(`${flag} <value>`, `${setting.doc} (${path})`);
  provider.command('init').description('make keys, certificates and a config').action(init);
  provider
    .command('register')
    .description('enter provider, prices and node on the chain, or bring up to date what differs there')
    .option('--dry-run', 'print the messages that would be sent', false)
    .action(register);
  provider.command('start').description('bid, serve and report until SIGTERM').action(start);
  provider
    .command('stop')
    .description('end the data plane, which serves on after the daemon')
    .option('--workloads', 'remove containers and their networks too; volumes stay', false)
    .action(stop);
  addOperatorCommands(provider, configOf);
  return provider;
}
