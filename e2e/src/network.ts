/** A small network of real processes in a folder of its own: a chain, providers, a user. Ports are free choice. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChainClient } from '@mu/client/chain/chain-client';
import type { Place } from './datacenters.ts';
import { type ChainOptions, chainProgram, NetworkChain } from './network-chain.ts';
import { eventually, type Finished, type Program, runCommand } from './process.ts';
import { must, Programs } from './programs.ts';

export { must } from './programs.ts';

const root = join(import.meta.dirname, '..', '..');
const bin = {
  provider: join(root, 'provider-daemon/bin/mu-provider'),
  mucli: join(root, 'cli/bin/mucli'),
};
export interface NetworkOptions extends ChainOptions {
  /** a folder of its own; removed by `stop` unless it is to be kept */
  readonly folder: string;
  /** log lines of all programs, behind the program's name */
  readonly onLog?: (program: string, line: string) => void;
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
  readonly #programs: Programs;
  readonly #chain: NetworkChain;
  /** Of providers on this machine; whether containers of theirs may run. */
  readonly #providerHomes = new Map<string, boolean>();

  constructor(options: NetworkOptions) {
    this.options = options;
    mkdirSync(options.folder, { recursive: true });
    this.#programs = new Programs(options.onLog);
    this.#chain = new NetworkChain(options, this.path('chain'), this.#programs);
  }

  /** RPC address of the chain. */
  get rpc(): string {
    return this.#chain.rpc;
  }

  path(...parts: string[]): string {
    return join(this.options.folder, ...parts);
  }

  program(name: string): Program {
    return this.#programs.program(name);
  }

  /** Makes the chain's home. Accounts are added before it starts. */
  initChain(): Promise<void> {
    return this.#chain.init();
  }

  addAccount(address: string): Promise<void> {
    return this.#chain.addAccount(address);
  }

  /** Starts the chain, or starts it again after it was killed; at a restart its address stays. */
  startChain(): Promise<void> {
    return this.#chain.start();
  }

  /** What a person types to end the chain, when it is left running. */
  get stopChainCommand(): string {
    return this.#chain.stopCommand;
  }

  /** The last lines of each log of the chain and its programs, by what wrote it. */
  lastLines(): ReadonlyMap<string, string> {
    return new Map([...this.#programs.lastLines(), ...this.#chain.lastLines()]);
  }

  async client(): Promise<ChainClient> {
    return ChainClient.connect(this.#chain.rpc);
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
    const init = this.#programs.run(command, [...before, '--home', home, ...args, 'init']);
    const made = JSON.parse((await must(init)).stdout) as {
      owner: string;
      operator: string;
      gatewayUri: string;
    };
    if (place === undefined) this.#providerHomes.set(home, !engineIsAway);
    return { name: options.name, home, ...made, ...(place === undefined ? {} : { place }) };
  }

  async registerProvider(provider: NetworkProvider): Promise<void> {
    await must(this.#programs.run(bin.provider, ['--home', provider.home, 'register'], { env: this.#providerEnv() }));
  }

  /** @param fault at which the daemon is to kill itself, as `MU_FAULT` has it */
  async startProvider(provider: NetworkProvider, fault?: string): Promise<Program> {
    const [command, ...before] = within(provider.place);
    const args = [...before, '--home', provider.home, 'start'];
    const env = { ...this.#providerEnv(), ...(fault === undefined ? {} : { MU_FAULT: fault }) };
    const program = this.#programs.start({ name: provider.name, command, args, env });
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
      ...(this.#chain.rpc === ''
        ? {}
        : { MUCLI_NODE: this.#chain.rpc, MUCLI_TRUST_GENESIS_HASH: this.#chain.genesisHash }),
    };
  }

  mucli(args: readonly string[], options: { readonly onStderr?: (line: string) => void } = {}): Promise<Finished> {
    return this.#programs.run(bin.mucli, args, { env: this.userEnv(), ...options });
  }

  /** Starts a `mucli` that stays, like `create --watch`. */
  startMucli(name: string, args: readonly string[]): Program {
    return this.#programs.start({ name, command: bin.mucli, args, env: this.userEnv() });
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
    // Those who ask the chain go before it does.
    await this.#programs.stop(chainProgram);
    await Promise.all([...this.#providerHomes].map(([home, containers]) => stopProvider(home, { containers })));
    await this.#chain.stop();
    if (!keepFolder) rmSync(this.options.folder, { recursive: true, force: true });
  }

  #providerEnv(): Record<string, string> {
    return { MU_PROVIDER_CHAIN_RPC_URL: this.#chain.rpc, MU_PROVIDER_TRUST_GENESIS_HASH: this.#chain.genesisHash };
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
