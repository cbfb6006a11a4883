/** Makes a local network: keys, one genesis with all validators, config files that know each other. Starts nothing. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { addAccount, type Genesis, readGenesis, writeGenesis } from '@mu/app/node/genesis';
import { homeAt } from '@mu/app/node/home';
import { initHome } from '@mu/app/node/init';
import {
  faucetFile,
  type Localnet,
  maxValidators,
  type NodeLayout,
  nodeHome,
  type Timeouts,
  writeLocalnet,
} from './layout.ts';
import { freePorts } from './ports.ts';
import { editToml, type TomlValue } from './toml.ts';

const run = promisify(execFile);

const faucetCoins = '1000000000000000umu';

export interface CreateOptions {
  readonly home: string;
  readonly validators: number;
  /** the program: its own `init` writes the config that is then changed */
  readonly cometbft: string;
  readonly chainId?: string;
  readonly timeoutCommitMs?: number;
  /** further settings of each `mud`, by dotted key */
  readonly settings?: Readonly<Record<string, string>>;
  /** further settings of each `cometbft`, by dotted key */
  readonly engineSettings?: Readonly<Record<string, TomlValue>>;
}

/**
 * Short enough for one machine, long enough for one that has other work: what is exceeded costs a round, not a fault.
 * Each round adds `deltaMs`.
 */
const timeoutsFor = (commitMs: number): Timeouts => ({ proposeMs: 1500, voteMs: 500, deltaMs: 500, commitMs });

/** @throws Error when the folder holds something, or the number of validators is none */
export async function createLocalnet(options: CreateOptions): Promise<Localnet> {
  const { home, validators } = options;
  if (!Number.isInteger(validators) || validators < 1 || validators > maxValidators)
    throw new Error(`${validators} validators: it must be a number from 1 to ${maxValidators}`);
  if (existsSync(home) && readdirSync(home).length > 0)
    throw new Error(`${home} is not empty and holds no local network: choose another --home, or remove it`);
  mkdirSync(home, { recursive: true });
  try {
    return await create(options);
  } catch (error) {
    // Half a network is of no use and would be in the way of the next try.
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
}

async function create(options: CreateOptions): Promise<Localnet> {
  const { home, validators, cometbft } = options;
  const chainId = options.chainId ?? `mu-local-${randomBytes(3).toString('hex')}`;
  const ports = await freePorts(validators * 3);
  const time = new Date().toISOString();
  const nodes = Array.from({ length: validators }, (_, index): NodeLayout => {
    const [abci = 0, rpc = 0, p2p = 0] = ports.slice(index * 3);
    const name = `node${index}`;
    const settings = { 'engine.kind': 'cometbft', 'abci.laddr': `tcp://127.0.0.1:${abci}`, ...options.settings };
    const made = initHome(homeAt(join(home, name)), {
      chainId,
      moniker: name,
      prefix: 'mu',
      denom: 'umu',
      time,
      settings,
    });
    return { name, nodeId: made.nodeId, validator: made.validator, ports: { abci, rpc, p2p } };
  });
  const net: Localnet = { home, chainId, timeouts: timeoutsFor(options.timeoutCommitMs ?? 1000), nodes, faucet: '' };
  // CometBFT keeps the keys and the genesis that it finds and writes what is missing: its config.
  for (const node of nodes) await run(cometbft, ['init', '--home', nodeHome(net, node)]);
  for (const node of nodes) configureEngine(net, node, options.engineSettings ?? {});
  const faucet = await makeFaucet(home);
  editGenesis(net, (genesis) => addAccount({ ...genesis, validators: validatorsOf(net) }, faucet, faucetCoins));
  const complete = { ...net, faucet };
  writeLocalnet(complete);
  return complete;
}

/** The validators of all nodes, as each node's own genesis names its own. */
function validatorsOf(net: Localnet): Genesis['validators'] {
  return net.nodes.flatMap((node) => readGenesis(homeAt(nodeHome(net, node)).genesis).validators);
}

/** Changes the genesis of all nodes alike. Only before the first start. */
export function editGenesis(net: Localnet, change: (genesis: Genesis) => Genesis): void {
  const files = net.nodes.map((node) => homeAt(nodeHome(net, node)).genesis);
  const changed = change(readGenesis(files[0] as string));
  for (const file of files) writeGenesis(file, changed);
}

function configureEngine(net: Localnet, node: NodeLayout, further: Readonly<Record<string, TomlValue>>): void {
  const file = join(nodeHome(net, node), 'config', 'config.toml');
  const peers = net.nodes
    .filter((other) => other !== node)
    .map(({ nodeId, ports }) => `${nodeId}@127.0.0.1:${ports.p2p}`);
  const { proposeMs, voteMs, deltaMs, commitMs } = net.timeouts;
  const values: Record<string, TomlValue> = {
    moniker: node.name,
    proxy_app: `tcp://127.0.0.1:${node.ports.abci}`,
    log_level: 'main:info,state:info,blocksync:info,statesync:info,*:error',
    'rpc.laddr': `tcp://127.0.0.1:${node.ports.rpc}`,
    'rpc.pprof_laddr': '',
    'p2p.laddr': `tcp://127.0.0.1:${node.ports.p2p}`,
    'p2p.persistent_peers': peers.join(','),
    'p2p.addr_book_strict': false,
    'p2p.allow_duplicate_ip': true,
    // Everybody is named above.
    'p2p.pex': false,
    'consensus.timeout_propose': `${proposeMs}ms`,
    'consensus.timeout_propose_delta': `${deltaMs}ms`,
    'consensus.timeout_prevote': `${voteMs}ms`,
    'consensus.timeout_prevote_delta': `${deltaMs}ms`,
    'consensus.timeout_precommit': `${voteMs}ms`,
    'consensus.timeout_precommit_delta': `${deltaMs}ms`,
    'consensus.timeout_commit': `${commitMs}ms`,
    // The market's matching counts on blocks that keep coming.
    'consensus.create_empty_blocks': true,
    'instrumentation.prometheus': false,
    ...further,
  };
  writeFileSync(file, editToml(readFileSync(file, 'utf8'), values));
}

/** An account for tests and load; who has the file has its coins. @returns its address */
async function makeFaucet(home: string): Promise<string> {
  const wallet = await DirectSecp256k1HdWallet.generate(24, { prefix: 'mu' });
  const [account] = await wallet.getAccounts();
  if (account === undefined) throw new Error('a new wallet has no account');
  const file = { address: account.address, coins: faucetCoins, mnemonic: wallet.mnemonic };
  writeFileSync(faucetFile(home), `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  return account.address;
}
