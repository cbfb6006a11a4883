/**
 * A chain, a provider with containers, and a user, as a fault meets them: real programs and a real engine. The daemon is
 * started by hand here, since its environment says where it ends.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { type Lease, LeaseState } from '@mu/proto/market';
import { must, Network, type NetworkProvider } from '../network.ts';
import { eventually, Program } from '../process.ts';
import { EngineView, sharedSocket } from './engine-view.ts';

const providerProgram = join(import.meta.dirname, '..', '..', '..', 'provider-daemon', 'bin', 'mu-provider');

/** A lease that is not confirmed for so many blocks is lost; a provider may be away for less. */
const awayBlocks = '400';

/** Each has a sixteenth of the usual pool: two engines that look for a free network at once find the same one. */
const pools = 16;
let worlds = process.pid;

function ownPool(): string {
  worlds += 1;
  return `10.213.${(worlds % pools) * (256 / pools)}.0/20`;
}

export interface WorldOptions {
  /** Of the containers' engine; the shared one where left out. */
  readonly socket?: string;
  /** Folder of the provider's data; within its home where left out. */
  readonly dataFolder?: string;
  /** Further providers without containers. */
  readonly peers?: number;
  readonly blockIntervalMs?: number;
  readonly onLog?: (program: string, line: string) => void;
}

/** Where a process of the provider is to end. */
export interface Fault {
  /** `<point>` or `<point>:<n>` */
  readonly point: string;
}

export class World {
  readonly network: Network;
  readonly engine: EngineView;
  readonly options: WorldOptions;
  #client: ChainClient | undefined;
  #provider: NetworkProvider | undefined;
  #daemon: Program | undefined;
  #planePid = 0;
  #user = '';
  #faults = 0;

  private constructor(options: WorldOptions) {
    this.options = options;
    this.engine = new EngineView(options.socket ?? sharedSocket);
    this.network = new Network({
      folder: mkdtempSync(join(tmpdir(), 'mu-cf-')),
      chainId: `mu-cf-${randomBytes(3).toString('hex')}`,
      blockIntervalMs: options.blockIntervalMs ?? 250,
      ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
      genesis: (appState) => {
        const paramsOf = (module: string) => appState[module]?.['params'] as Record<string, unknown>;
        Object.assign(paramsOf('market'), {
          confirmation_blocks: awayBlocks,
          reconfirmation_blocks: awayBlocks,
          manifest_timeout_blocks: awayBlocks,
        });
        // Short, so that a lease can run out of funds while somebody waits.
        Object.assign(paramsOf('billing'), { min_runway_blocks: '2', min_deposit: '1' });
      },
    });
  }

  /** Chain, user and provider stand, the daemon runs. */
  static async start(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    try {
      await world.#build();
    } catch (error) {
      await world.stop().catch(() => undefined);
      throw error;
    }
    return world;
  }

  get client(): ChainClient {
    return this.#client as ChainClient;
  }

  get provider(): NetworkProvider {
    return this.#provider as NetworkProvider;
  }

  get daemon(): Program {
    return this.#daemon as Program;
  }

  /** Address of the user. */
  get user(): string {
    return this.#user;
  }

  /** The newest data plane's process. */
  get planePid(): number {
    return this.#planePid;
  }

  get dataFolder(): string {
    return this.options.dataFolder ?? join(this.provider.home, 'data');
  }

  /**
   * Starts the daemon, and waits until it says that it is ready.
   * @returns milliseconds that it took
   */
  async startDaemon(fault?: Fault): Promise<number> {
    const begun = performance.now();
    await this.launchDaemon(fault).ready;
    return performance.now() - begun;
  }

  /** Starts the daemon. */
  launchDaemon(fault?: Fault): Program {
    const { onLog } = this.options;
    const trust = this.network.userEnv()['MUCLI_TRUST_GENESIS_HASH'] ?? '';
    this.#daemon = new Program({
      name: 'provider',
      command: providerProgram,
      args: ['--home', this.provider.home, 'start'],
      env: {
        MU_PROVIDER_CHAIN_RPC_URL: this.network.rpc,
        MU_PROVIDER_TRUST_GENESIS_HASH: trust,
        ...(fault === undefined ? {} : { MU_FAULT: fault.point, MU_FAULT_MARK: this.#newMark() }),
      },
      onLog: (line) => {
        this.#look(line);
        onLog?.('provider', line);
      },
    });
    return this.#daemon;
  }

  /** Whether a process has ended at the fault that was wished last. */
  get hasStruck(): boolean {
    return existsSync(this.#mark());
  }

  /** Ends the daemon as a service manager does; the data plane serves on, or ends too. */
  async stopDaemon(plane: 'leave' | 'end' = 'leave'): Promise<void> {
    const daemon = this.#daemon;
    if (daemon?.isRunning !== true) return;
    if (plane === 'leave') return daemon.stop();
    process.kill(daemon.pid, 'SIGINT');
    await eventually('the end of the daemon', () => (daemon.isRunning ? undefined : true), 30_000);
  }

  /** A command of the user. @returns its JSON */
  async mucli<T>(...args: string[]): Promise<T> {
    const { stdout } = await must(this.network.mucli([...args, '--output', 'json']));
    return JSON.parse(stdout) as T;
  }

  async lease(number: bigint): Promise<Lease> {
    return (await this.client.market.lease({ number })).lease as Lease;
  }

  /** The live leases of a deployment. */
  async leasesOf(dseq: bigint): Promise<Lease[]> {
    const { leases } = await this.client.market.leases({
      owner: this.#user,
      dseq,
      state: LeaseState.LEASE_STATE_UNSPECIFIED,
    });
    return leases;
  }

  /** Folders of volumes of the provider that are mounted. */
  mounts(): string[] {
    return readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
      .filter((point) => point.startsWith(join(this.dataFolder, 'volumes')));
  }

  /** What is left at the engine and of volumes: nothing after `stop --workloads`. */
  async leftovers(): Promise<string[]> {
    const { owner } = this.provider;
    const containers = (await this.engine.containers(owner)).map(({ id }) => `container ${id}`);
    return [...containers, ...(await this.engine.networks(owner)), ...this.mounts()];
  }

  /** Ends everything, the workloads too. */
  async stop(): Promise<void> {
    this.#client?.disconnect();
    await this.#daemon?.stop();
    await this.network.stop();
    rmSync(this.network.options.folder, { recursive: true, force: true });
  }

  async #build(): Promise<void> {
    const { network, options } = this;
    await network.initChain();
    this.#user = await network.initUser();
    const settings = {
      '--offer-services': 'mu-db,mu-function,mu-gateway,mu-workload',
      '--containers-volume-retention-hours': '0',
      '--containers-network-pool': ownPool(),
      ...(options.socket === undefined ? {} : { '--containers-socket': options.socket }),
      ...(options.dataFolder === undefined ? {} : { '--node-data-folder': options.dataFolder }),
    };
    const price = { cpu: '0.05', memoryMib: '0.01' };
    this.#provider = await network.initProvider({ name: 'provider', price, settings });
    const peers: NetworkProvider[] = [];
    for (let i = 0; i < (options.peers ?? 0); i += 1)
      peers.push(await network.initProvider({ name: `peer-${i}`, price: { cpu: '0.06', memoryMib: '0.012' } }));
    const accounts = [this.provider, ...peers].flatMap(({ owner, operator }) => [owner, operator]);
    for (const address of [this.#user, ...accounts]) await network.addAccount(address);
    await network.startChain();
    await network.untilHeight(1);
    this.#client = await network.client();
    for (const provider of [this.provider, ...peers]) await network.registerProvider(provider);
    for (const peer of peers) await network.startProvider(peer);
    await this.startDaemon();
  }

  #newMark(): string {
    this.#faults += 1;
    return this.#mark();
  }

  #mark(): string {
    return this.network.path(`fault-${this.#faults}`);
  }

  #look(line: string): void {
    if (!line.includes('"data plane is there"')) return;
    this.#planePid = (JSON.parse(line) as { pid: number }).pid;
  }
}
