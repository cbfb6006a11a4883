/** Validators on this machine, each `mud` behind `cometbft`: made, started, stopped, looked at. */

import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { messageOf } from '@mu/lib/error-message';
import { cometbftVersion, requireCometbft } from './lib/cometbft.ts';
import {
  faucetFile,
  hasLocalnet,
  type Localnet,
  maxValidators,
  nodeOf,
  readLocalnet,
  rpcOf,
} from './lib/localnet/layout.ts';
import {
  assertDown,
  type NodeStatus,
  restartNode,
  startNetwork,
  statusOf,
  stopNetwork,
} from './lib/localnet/network.ts';
import { killNode, pauseNode, resumeNode, stopNode } from './lib/localnet/node.ts';

const help = `A network of validators on this machine, each \`mud\` behind CometBFT ${cometbftVersion}.

./scripts/localnet up [--validators N] [--home DIR] [--timeout-commit MS] [--chain-id ID]
                      [--set section.key=value]… [--set-engine section.key=value]…
    makes keys, genesis, configs that know each other as peers, and starts N × (mud + cometbft), 1 to ${maxValidators};
    waits until all have block 2 and prints the addresses. Where the folder holds a stopped network, that one is
    started again with what it has. --set changes mud's config, --set-engine CometBFT's config.toml (a new network only).
./scripts/localnet down [--home DIR] [--remove]
    stops all: SIGTERM, after 10 s SIGKILL; --remove throws the folder away as well
./scripts/localnet status [--json] [--home DIR]
    what each node is doing; --json: one array with an object per node: name, rpc, pid_app, pid_engine, height, app_hash
    (the pids are null where the program does not run, height and app_hash where the node does not answer)
./scripts/localnet stop NAME [--kill]       ends both programs of a node, like node0; --kill: with SIGKILL
./scripts/localnet restart NAME             ends what still runs of the node, and starts both again
./scripts/localnet pause NAME | resume NAME SIGSTOP, SIGCONT for both

--home DIR         folder of the network (.localnet of the checkout, which git ignores)
--validators N     4 by default; the validator set is the genesis's
--timeout-commit   milliseconds between a block and the next height's start (1000)

In the folder: localnet.json (ports, chosen once among those below the outgoing ones), faucet.json (the words of an
account with coins), node0/, node1/, … with config/ and data/ of both programs, mud.log and cometbft.log.
The program cometbft is looked for in MU_COMETBFT, PATH and Go's folders, and installed with Go where it is absent.`;

const flagTypes = {
  home: { type: 'string', default: join(import.meta.dirname, '..', '.localnet') },
  validators: { type: 'string' },
  'timeout-commit': { type: 'string', default: '1000' },
  'chain-id': { type: 'string' },
  set: { type: 'string', multiple: true, default: [] as string[] },
  'set-engine': { type: 'string', multiple: true, default: [] as string[] },
  json: { type: 'boolean', default: false },
  kill: { type: 'boolean', default: false },
  remove: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig;

const parse = (args: string[]) => parseArgs({ args, options: flagTypes, allowPositionals: true });
type Flags = ReturnType<typeof parse>['values'];

/** What was typed is wrong: the message, and where help is. */
class UsageError extends Error {}

const say = (text: string): void => console.error(text);
const program = (): Promise<string> => requireCometbft({ say });

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UsageError(`--${name} ${text}: it must be a whole number from ${least} to ${most}`);
  return value;
}

/** `section.key=value`, values as TOML has them: true, 5 and "text" or text. */
function pairs(flag: string, texts: readonly string[]): [string, string][] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`--${flag} ${text}: write section.key=value`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

function tomlValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^-?\d+$/.test(text)) return Number(text);
  return text.replace(/^"(.*)"$/, '$1');
}

async function theNetwork(home: string, flags: Flags, cometbft: string): Promise<Localnet> {
  const validators = whole('validators', flags.validators ?? '4', 1, maxValidators);
  if (hasLocalnet(home)) {
    const net = readLocalnet(home);
    assertDown(net);
    if (flags.validators !== undefined && net.nodes.length !== validators) {
      throw new Error(
        `${home} holds a network of ${net.nodes.length} validators, not ${validators}: choose another --home, or remove it with \`./scripts/localnet down --remove --home ${home}\``,
      );
    }
    return net;
  }
  // Loads the application; the other commands work also where that is broken.
  const { createLocalnet } = await import('./lib/localnet/create.ts');
  return createLocalnet({
    home,
    validators,
    cometbft,
    timeoutCommitMs: whole('timeout-commit', flags['timeout-commit'], 0, 3_600_000),
    settings: Object.fromEntries(pairs('set', flags.set)),
    engineSettings: Object.fromEntries(
      pairs('set-engine', flags['set-engine']).map(([key, value]) => [key, tomlValue(value)]),
    ),
    ...(flags['chain-id'] === undefined ? {} : { chainId: flags['chain-id'] }),
  });
}

async function up(home: string, flags: Flags): Promise<void> {
  const cometbft = await program();
  const net = await theNetwork(home, flags, cometbft);
  const canceled = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => canceled.abort(new Error('canceled: what had been started was stopped')));
  await startNetwork(net, cometbft, { signal: canceled.signal });
  const nodes = await statusOf(net);
  if (flags.json) {
    console.log(JSON.stringify(nodes));
    return;
  }
  console.log(`chain ${net.chainId}, ${nodes.length} validators, in ${home}`);
  show(nodes);
  console.log(`an account with coins: ${net.faucet}, its words in ${faucetFile(home)}`);
  console.log(`to stop it all: ./scripts/localnet down --home ${home}`);
}

function show(nodes: readonly NodeStatus[]): void {
  for (const { name, rpc, pid_app, pid_engine, height, app_hash } of nodes) {
    const pids = `mud ${pid_app ?? 'stopped'}, cometbft ${pid_engine ?? 'stopped'}`;
    console.log(`${name.padEnd(7)}${rpc}  ${pids}  ${height === null ? 'no answer' : `height ${height}  ${app_hash}`}`);
  }
}

async function down(home: string, flags: Flags): Promise<void> {
  const net = readLocalnet(home);
  await stopNetwork(net);
  if (flags.remove) rmSync(home, { recursive: true, force: true });
  console.log(`the network in ${home} is down${flags.remove ? ' and removed' : ''}`);
}

async function oneNode(command: string, name: string | undefined, net: Localnet, flags: Flags): Promise<void> {
  if (name === undefined) throw new UsageError(`${command} needs the name of a node, like node0`);
  const node = nodeOf(net, name);
  if (command === 'restart') {
    await restartNode(net, name, await program());
    console.log(`${name} runs, its RPC is ${rpcOf(node)}`);
  } else if (command === 'stop') {
    await (flags.kill ? killNode : stopNode)(net, node);
    console.log(`${name} is stopped`);
  } else {
    (command === 'pause' ? pauseNode : resumeNode)(net, node);
    console.log(`${name} ${command === 'pause' ? 'stands still' : 'goes on'}`);
  }
}

async function main(): Promise<void> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(process.argv.slice(2));
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
  const { values: flags, positionals } = parsed;
  const [command, name, ...rest] = positionals;
  if (flags.help || command === undefined) {
    console.log(help);
    if (!flags.help) process.exitCode = 2;
    return;
  }
  const takesName = ['stop', 'restart', 'pause', 'resume'].includes(command);
  if (rest.length > 0 || (name !== undefined && !takesName))
    throw new UsageError(`too many words: ${positionals.join(' ')}`);
  const home = resolve(flags.home);
  if (command === 'up') await up(home, flags);
  else if (command === 'down') await down(home, flags);
  else if (command === 'status') {
    const nodes = await statusOf(readLocalnet(home));
    if (flags.json) console.log(JSON.stringify(nodes));
    else show(nodes);
  } else if (takesName) await oneNode(command, name, readLocalnet(home), flags);
  else throw new UsageError(`there is no command "${command}"`);
}

try {
  await main();
} catch (error) {
  console.error(`localnet: ${messageOf(error)}`);
  if (error instanceof UsageError) console.error('help: ./scripts/localnet --help');
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
