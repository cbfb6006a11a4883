/** `mud`, the node of a Mu chain. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { toHex } from '@mu/lib/bytes';
import { Command, CommanderError } from 'commander';
import { type Home, homeAt } from './node/home.ts';

const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

function homeOf(command: Command): Home {
  const { home } = command.optsWithGlobals() as { home?: string };
  return homeAt(resolve(home ?? process.env['MUD_HOME'] ?? join(homedir(), '.mud')));
}

/** `--set section.key=value`, as often as one likes. */
function collect(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`--set ${text}: write section.key=value`);
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

interface InitFlags {
  readonly moniker: string;
  readonly prefix: string;
  readonly denom: string;
  readonly set: Record<string, string>;
}

async function init(chainId: string, flags: InitFlags, command: Command): Promise<void> {
  const { initHome } = await import('./node/init.ts');
  const home = homeOf(command);
  const made = initHome(home, { ...flags, chainId, settings: flags.set, time: new Date().toISOString() });
  print({ home: home.root, chain_id: chainId, node_id: made.nodeId, validator: made.validator });
}

async function addGenesisAccount(address: string, coins: string, _flags: object, command: Command): Promise<void> {
  const { addAccount, readGenesis, writeGenesis } = await import('./node/genesis.ts');
  const home = homeOf(command);
  writeGenesis(home.genesis, addAccount(readGenesis(home.genesis), address, coins));
}

async function start(flags: { readonly set: Record<string, string> }, command: Command): Promise<void> {
  const [{ loadConfig }, { startNode }] = await Promise.all([import('./node/config.ts'), import('./node/start.ts')]);
  const home = homeOf(command);
  const node = await startNode(home, loadConfig(home.config, process.env, flags.set));
  print({ ...node.addresses, home: home.root });
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ask());
  try {
    await Promise.race([asked, node.failed]);
  } finally {
    await node.stop();
  }
}

async function showKeys(_flags: object, command: Command): Promise<void> {
  const { loadOrCreateNodeKey, loadOrCreateValidator } = await import('./engine/private-validator.ts');
  const { existsSync } = await import('node:fs');
  const home = homeOf(command);
  if (!existsSync(home.validatorKey))
    throw new Error(`${home.validatorKey} does not exist: make a home with \`mud init\``);
  const validator = loadOrCreateValidator({ key: home.validatorKey, state: home.validatorState });
  print({
    node_id: loadOrCreateNodeKey(home.nodeKey).id,
    validator: toHex(validator.address).toUpperCase(),
    public_key: Buffer.from(validator.publicKey).toString('base64'),
  });
}

async function status(flags: { readonly node?: string }, command: Command): Promise<void> {
  const { readAddresses } = await import('./node/addresses.ts');
  const rpc = flags.node ?? readAddresses(homeOf(command)).rpc;
  let answer: Response;
  try {
    answer = await fetch(`${rpc}/status`);
  } catch {
    throw new Error(`nothing answers at ${rpc}: is the node running?`);
  }
  print(((await answer.json()) as { result: unknown }).result);
}

function program(): Command {
  const mud = new Command('mud').description('the node of a Mu chain').version('0.1.0').exitOverride();
  mud.option('--home <folder>', 'folder of the node (~/.mud)');
  mud
    .command('init <chain-id>')
    .description('make a home folder: config, keys, genesis with this node as validator')
    .option('--moniker <name>', 'name of the node', 'node')
    .option('--prefix <letters>', 'prefix of the addresses', 'mu')
    .option('--denom <denomination>', 'base denomination', 'umu')
    .option('--set <section.key=value>', 'a setting of the config, repeatable', collect, {})
    .action(init);
  const genesis = mud.command('genesis').description('the genesis file');
  genesis
    .command('add-account <address> <coins>')
    .description('give an account coins, like 1000umu')
    .action(addGenesisAccount);
  mud
    .command('start')
    .description('run the node until SIGTERM')
    .option('--set <section.key=value>', 'a setting of the config, repeatable', collect, {})
    .action(start);
  const keys = mud.command('keys').description('the keys of the node');
  keys.command('show').description('node id, validator address and public key').action(showKeys);
  mud
    .command('status')
    .description('what a running node says of itself')
    .option('--node <url>', 'its RPC address')
    .action(status);
  return mud;
}

try {
  await program().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`mud: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
