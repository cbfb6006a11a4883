/** A small network of real processes in a folder of its own: a chain, providers, a user. Ports are free choice. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addAccount, readGenesis, writeGenesis } from '@mu/app/node/genesis';
import { ChainClient } from '@mu/client/chain/chain-client';
import { fetchGenesis } from '@mu/client/light/connect';
import { genesisHash } from '@mu/client/light/trust-root';
import { toHex } from '@mu/lib/bytes';
import { createLocalnet, editGenesis } from '../../scripts/lib/localnet/create.ts';
import { type Localnet, logsOf, rpcOf } from '../../scripts/lib/localnet/layout.ts';
import { startNetwork, stopNetwork } from '../../scripts/lib/localnet/network.ts';
import { lastLines } from '../../scripts/lib/localnet/processes.ts';
import type { Place } from './datacenters.ts';
import { eventually, type Finished, Program, runCommand } from './process.ts';

const root = join(import.meta.dirname, '..', '..');
const bin = {
  mud: join(root, 'chain/app/bin/mud'),
  provider: join(root, 'provider-daemon/bin/mu-provider'),
  mucli: join(root, 'cli/bin/mucli'),
};
/** Every genesis account has so much. */
const genesisCoins = '1000000000000umu';

type AppState = Record<string, Record<string, unknown>>;

export interface NetworkOptions {
  /** a folder of its own; removed by `stop` unless it is to be kept */
  readonly folder: string;
  readonly chainId: string;
  readonly blockIntervalMs: number;
  /** log lines of all programs, behind the program's name */
  readonly onLog?: (program: string, line: string) => void;
  /** so many validators behind CometBFT, whose program this is; the engine solo where absent */
  readonly engine?: { readonly validators: number; readonly cometbft: string };
  /** where the chain listens; 127.0.0.1 where absent */
  readonly address?: string;
  /** changes of genesis `app_state`, by module */
  readonly genesis?: (appState: AppState) => void;
}

export interface ProviderOptions {
  readonly name: string;
  /** factor on the default rates: the cheaper one has the smaller */
  readonly price: { readonly cpu: string; readonly memoryMib: string };
  /** further settings by flag, `--usage-report-every-blocks` → '3' */
  readonly settings?: Readonly<Record<string, string>>;
  /** on this machine, as the chain and the others are, where absent */
  readonly place?: Place;
  /** it may offer containers, and has no engine that answers */
  readonly engineIsAway?: boolean;
}

export interface NetworkProvider {
  readonly name: string;
  readonly home: string;
  readonly owner: string;
  readonly operator: string;
  readonly gatewayUri: string;
  readonly place?: Place;
}

/** Prices of usage that the providers of a test network ask. */
const usagePrices = [
  'database-byte-blocks=0.000001/1024',
  'function-invocations=2',
  'function-megabyte-milliseconds=0.5/1000',
  'gateway-bytes=1/1024',
  'gateway-requests=1',
].join(',');

export class Network {
  readonly options: NetworkOptions;
  readonly #programs = new Map<string, Program>();
  readonly #running = new Set<Promise<unknown>>();
  /** Of providers on this machine; whether containers of theirs may run. */
  readonly #providerHomes = new Map<string, boolean>();
  readonly #stopped = new AbortController();
  #rpc = '';
  #genesisHash = '';
  #localnet: Localnet | undefined;

  constructor(options: NetworkOptions) {
    this.options = options;
    mkdirSync(options.folder, { recursive: true });
  }

  /** RPC address of the chain. */
  get rpc(): string {
    return this.#rpc;
  }

  path(...parts: string[]): string {
    return join(this.options.folder, ...parts);
  }

  program(name: string): Program {
    const program = this.#programs.get(name);
    if (program === undefined) throw new Error(`${name} has not been started`);
    return program;
  }

  /** Makes the chain's home. Accounts are added before it starts. */
  async initChain(): Promise<void> {
    if (this.options.engine !== undefined) {
      this.#localnet = await this.#initLocalnet(this.options.engine);
      return;
    }
    const settings = [
      '--set',
      `rpc.laddr=${this.options.address ?? '127.0.0.1'}:0`,
      '--set',
      `engine.block_interval_ms=${this.options.blockIntervalMs}`,
    ];
    await must(this.#run(bin.mud, ['init', this.options.chainId, '--home', this.path('chain'), ...settings]));
    if (this.options.genesis === undefined) return;
    const file = this.path('chain', 'config', 'genesis.json');
    const genesis = JSON.parse(readFileSync(file, 'utf8')) as { app_state: AppState };
    this.options.genesis(genesis.app_state);
    writeFileSync(file, JSON.stringify(genesis));
  }

  async #initLocalnet(engine: { readonly validators: number; readonly cometbft: string }): Promise<Localnet> {
    const { chainId, blockIntervalMs, genesis: change } = this.options;
    const home = this.path('chain');
    const net = await this.#track(createLocalnet({ ...engine, home, chainId, timeoutCommitMs: blockIntervalMs }));
    if (change !== undefined) {
      editGenesis(net, (genesis) => {
        const changed = structuredClone(genesis);
        change(changed.app_state as AppState);
        return changed;
      });
    }
    return net;
  }

  async addAccount(address: string): Promise<void> {
    if (this.#localnet !== undefined) {
      editGenesis(this.#localnet, (genesis) => addAccount(genesis, address, genesisCoins));
      return;
    }
    // As `mud genesis add-account` does it, but for a process for each of them: `operators.test.ts` types the command.
    const file = this.path('chain', 'config', 'genesis.json');
    writeGenesis(file, addAccount(readGenesis(file), address, genesisCoins));
  }

  /** Starts the chain, or starts it again after it was killed; at a restart its address stays. */
  async startChain(): Promise<void> {
    await this.#startChain();
    // Users and providers check the node by the genesis, as they would one of a stranger.
    if (this.#genesisHash === '') this.#genesisHash = toHex(genesisHash(await fetchGenesis(this.#rpc)));
  }

  async #startChain(): Promise<void> {
    if (this.#localnet !== undefined && this.options.engine !== undefined) {
      const { signal } = this.#stopped;
      await this.#track(startNetwork(this.#localnet, this.options.engine.cometbft, { signal }));
      this.#rpc = rpcOf(this.#localnet.nodes[0] as Localnet['nodes'][number]);
      return;
    }
    const laddr = this.#rpc === '' ? [] : ['--set', `rpc.laddr=${new URL(this.#rpc).host}`];
    const program = this.#start('chain', bin.mud, ['start', '--home', this.path('chain'), ...laddr]);
    this.#rpc = ((await program.ready) as { rpc: string }).rpc;
  }

  /** What a person types to end the chain, when it is left running. */
  get stopChainCommand(): string {
    if (this.#localnet === undefined) return `kill ${this.program('chain').pid}`;
    return `${join(root, 'scripts', 'localnet')} down --home ${this.#localnet.home}`;
  }

  /** The last lines of each log of the chain and its programs, by what wrote it. */
  lastLines(): ReadonlyMap<string, string> {
    const found = new Map([...this.#programs].map(([name, program]) => [name, program.lastLines.join('\n')]));
    for (const node of this.#localnet?.nodes ?? []) {
      const { app, engine } = logsOf(this.#localnet as Localnet, node);
      found.set(`mud of ${node.name}`, lastLines(app));
      found.set(`cometbft of ${node.name}`, lastLines(engine));
    }
    return found;
  }

  async client(): Promise<ChainClient> {
    return ChainClient.connect(this.#rpc);
  }

  /** Makes a provider's home with free ports, before the chain starts. */
  async initProvider(options: ProviderOptions): Promise<NetworkProvider> {
    const home = this.path(options.name);
    const { place, engineIsAway = false } = options;
    const address = place?.address ?? '127.0.0.1';
    const flags = {
      '--chain-id': this.options.chainId,
      '--offer-regions': 'local',
      '--host-address': address,
      '--host-port': '0',
      '--gateway-address': address,
      '--gateway-port': '0',
      ...(place === undefined ? {} : { '--containers-socket': place.engine }),
      ...(engineIsAway ? { '--containers-socket': join(home, 'no-engine.sock') } : {}),
      '--network-allow-private-peers': 'true',
      '--pricing-cpu': options.price.cpu,
      '--pricing-memory-mib': options.price.memoryMib,
      '--usage-prices': usagePrices,
      '--usage-report-every-blocks': '3',
      '--bidding-confirm-every-blocks': '3',
      '--chain-poll-ms': '100',
      ...options.settings,
    };
    const args = Object.entries(flags).flat();
    const [command, ...before] = within(place);
    const init = this.#run(command, [...before, '--home', home, ...args, 'init']);
    const made = JSON.parse((await must(init)).stdout) as {
      owner: string;
      operator: string;
      gatewayUri: string;
    };
    if (place === undefined) this.#providerHomes.set(home, !engineIsAway);
    return { name: options.name, home, ...made, ...(place === undefined ? {} : { place }) };
  }

  async registerProvider(provider: NetworkProvider): Promise<void> {
    await must(this.#run(bin.provider, ['--home', provider.home, 'register'], { env: this.#providerEnv() }));
  }

  async startProvider(provider: NetworkProvider): Promise<Program> {
    const [command, ...before] = within(provider.place);
    const args = [...before, '--home', provider.home, 'start'];
    const program = this.#start(provider.name, command, args, this.#providerEnv());
    await program.ready;
    return program;
  }

  /** Everybody has coins, the chain runs, and the providers are registered and watch it. */
  async startWith(user: string, providers: readonly NetworkProvider[]): Promise<void> {
    for (const address of [user, ...providers.flatMap(({ owner, operator }) => [owner, operator])])
      await this.addAccount(address);
    await this.startChain();
    await this.untilHeight(1);
    await Promise.all(providers.map((provider) => this.registerProvider(provider)));
    await Promise.all(providers.map((provider) => this.startProvider(provider)));
  }

  /** Makes the user's home with one key. @returns the address */
  async initUser(): Promise<string> {
    const home = this.path('user');
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'password'), 'a password of a test network\n', { mode: 0o600 });
    writeFileSync(join(home, 'mucli.toml'), 'max_price = "50"\nallow_private_peers = true\n');
    const { stdout } = await must(this.mucli(['keys', 'add', 'user', '--output', 'json']));
    return (JSON.parse(stdout) as { address: string }).address;
  }

  /** Environment in which `mucli` is the user of this network. */
  userEnv(): Record<string, string> {
    const home = this.path('user');
    return {
      MUCLI_HOME: home,
      MUCLI_PASSWORD_FILE: join(home, 'password'),
      ...(this.#rpc === '' ? {} : { MUCLI_NODE: this.#rpc, MUCLI_TRUST_GENESIS_HASH: this.#genesisHash }),
    };
  }

  mucli(args: readonly string[], options: { readonly onStderr?: (line: string) => void } = {}): Promise<Finished> {
    return this.#run(bin.mucli, args, { env: this.userEnv(), ...options });
  }

  /** Starts a `mucli` that stays, like `create --watch`. */
  startMucli(name: string, args: readonly string[]): Program {
    return this.#start(name, bin.mucli, args, this.userEnv());
  }

  /** Waits until the chain has made a block of this height. */
  async untilHeight(height: number): Promise<void> {
    const client = await this.client();
    try {
      await eventually(`height ${height}`, async () => ((await client.height()) >= height ? true : undefined));
    } finally {
      client.disconnect();
    }
  }

  /** Stops everything; the folder goes too unless it is to be kept. */
  async stop({ keepFolder = false } = {}): Promise<void> {
    this.#stopped.abort();
    await Promise.allSettled(this.#running);
    const { chain, ...others } = Object.fromEntries(this.#programs);
    // Those who ask the chain go before it does.
    await Promise.all(Object.values(others).map((program) => program?.stop()));
    await chain?.stop();
    await Promise.all([...this.#providerHomes].map(([home, containers]) => stopProvider(home, { containers })));
    if (this.#localnet !== undefined) await stopNetwork(this.#localnet);
    if (!keepFolder) rmSync(this.options.folder, { recursive: true, force: true });
  }

  /** A command that ends with the network, if not before. */
  async #run(
    command: string,
    args: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly onStderr?: (line: string) => void } = {},
  ): Promise<Finished> {
    return this.#track(runCommand(command, args, { ...options, signal: this.#stopped.signal }));
  }

  /** What `stop` waits for. */
  async #track<T>(running: Promise<T>): Promise<T> {
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  #providerEnv(): Record<string, string> {
    return { MU_PROVIDER_CHAIN_RPC_URL: this.#rpc, MU_PROVIDER_TRUST_GENESIS_HASH: this.#genesisHash };
  }

  #start(name: string, command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
    this.#stopped.signal.throwIfAborted();
    const { onLog } = this.options;
    const program = new Program({
      name,
      command,
      args,
      env,
      ...(onLog === undefined ? {} : { onLog: (line) => onLog(name, line) }),
    });
    this.#programs.set(name, program);
    return program;
  }
}

/** The command that is `mu-provider` at a place. */
function within(place: Place | undefined): readonly [string, ...string[]] {
  const [command, ...before] = place?.enter ?? [];
  return command === undefined ? [bin.provider] : [command, ...before, bin.provider];
}

/** Ends what a provider leaves behind when its daemon ends: the data plane, and containers where an engine may have some. */
export async function stopProvider(home: string, { containers = true } = {}): Promise<void> {
  await must(runCommand(bin.provider, ['--home', home, 'stop', ...(containers ? ['--workloads'] : [])]));
}

/** @throws Error with what the command wrote when it failed */
export async function must(running: Promise<Finished>): Promise<Finished> {
  const finished = await running;
  if (finished.code !== 0)
    throw new Error(`a command ended with code ${finished.code}:\n${finished.stderr}${finished.stdout}`);
  return finished;
}
