/** The chain of a network: one validator in one process, or several, each behind CometBFT. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addAccount, readGenesis, writeGenesis } from '@mu/app/node/genesis';
import { fetchGenesis } from '@mu/client/light/connect';
import { genesisHash } from '@mu/client/light/trust-root';
import { toHex } from '@mu/lib/bytes';
import { createLocalnet, editGenesis } from '../../scripts/lib/localnet/create.ts';
import { type Localnet, logsOf, rpcOf } from '../../scripts/lib/localnet/layout.ts';
import { startNetwork, stopNetwork } from '../../scripts/lib/localnet/network.ts';
import { lastLines } from '../../scripts/lib/localnet/processes.ts';
import { must, type Programs } from './programs.ts';

const root = join(import.meta.dirname, '..', '..');
const mud = join(root, 'chain/app/bin/mud');
/** Name of the validator's program, where there is one in one process. */
export const chainProgram = 'chain';
/** Every genesis account has so much. */
const genesisCoins = '1000000000000umu';

type AppState = Record<string, Record<string, unknown>>;

export interface ChainOptions {
  readonly chainId: string;
  readonly blockIntervalMs: number;
  /** so many validators behind CometBFT, whose program this is; the engine solo where absent */
  readonly engine?: { readonly validators: number; readonly cometbft: string };
  /** where the chain listens; 127.0.0.1 where absent */
  readonly address?: string;
  /** changes of genesis `app_state`, by module */
  readonly genesis?: (appState: AppState) => void;
}

export class NetworkChain {
  readonly #options: ChainOptions;
  readonly #home: string;
  readonly #programs: Programs;
  #rpc = '';
  #genesisHash = '';
  #localnet: Localnet | undefined;

  /** @param home its folder, made by `init` */
  constructor(options: ChainOptions, home: string, programs: Programs) {
    this.#options = options;
    this.#home = home;
    this.#programs = programs;
  }

  /** Its address; empty before it was started. */
  get rpc(): string {
    return this.#rpc;
  }

  /** By which it is known; empty before it was started. */
  get genesisHash(): string {
    return this.#genesisHash;
  }

  /** Makes the chain's home. Accounts are added before it starts. */
  async init(): Promise<void> {
    if (this.#options.engine !== undefined) {
      this.#localnet = await this.#initLocalnet(this.#options.engine);
      return;
    }
    const settings = [
      '--set',
      `rpc.laddr=${this.#options.address ?? '127.0.0.1'}:0`,
      '--set',
      `engine.block_interval_ms=${this.#options.blockIntervalMs}`,
    ];
    await must(this.#programs.run(mud, ['init', this.#options.chainId, '--home', this.#home, ...settings]));
    if (this.#options.genesis === undefined) return;
    const file = join(this.#home, 'config', 'genesis.json');
    const genesis = JSON.parse(readFileSync(file, 'utf8')) as { app_state: AppState };
    this.#options.genesis(genesis.app_state);
    writeFileSync(file, JSON.stringify(genesis));
  }

  async #initLocalnet(engine: { readonly validators: number; readonly cometbft: string }): Promise<Localnet> {
    const { chainId, blockIntervalMs, genesis: change } = this.#options;
    const home = this.#home;
    const net = await this.#programs.track(
      createLocalnet({ ...engine, home, chainId, timeoutCommitMs: blockIntervalMs }),
    );
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
    const file = join(this.#home, 'config', 'genesis.json');
    writeGenesis(file, addAccount(readGenesis(file), address, genesisCoins));
  }

  /** Starts the chain, or starts it again after it was killed; at a restart its address stays. */
  async start(): Promise<void> {
    await this.#startChain();
    // Users and providers check the node by the genesis, as they would one of a stranger.
    if (this.#genesisHash === '') this.#genesisHash = toHex(genesisHash(await fetchGenesis(this.#rpc)));
  }

  async #startChain(): Promise<void> {
    if (this.#localnet !== undefined && this.#options.engine !== undefined) {
      const { signal } = this.#programs;
      await this.#programs.track(startNetwork(this.#localnet, this.#options.engine.cometbft, { signal }));
      this.#rpc = rpcOf(this.#localnet.nodes[0] as Localnet['nodes'][number]);
      return;
    }
    const laddr = this.#rpc === '' ? [] : ['--set', `rpc.laddr=${new URL(this.#rpc).host}`];
    const program = this.#programs.start({
      name: chainProgram,
      command: mud,
      args: ['start', '--home', this.#home, ...laddr],
    });
    this.#rpc = ((await program.ready) as { rpc: string }).rpc;
  }

  /** What a person types to end the chain, when it is left running. */
  get stopCommand(): string {
    if (this.#localnet === undefined) return `kill ${this.#programs.program(chainProgram).pid}`;
    return `${join(root, 'scripts', 'localnet')} down --home ${this.#localnet.home}`;
  }

  /** The last lines of each log that is no program's of the network, by what wrote it. */
  lastLines(): [string, string][] {
    return (this.#localnet?.nodes ?? []).flatMap((node): [string, string][] => {
      const { app, engine } = logsOf(this.#localnet as Localnet, node);
      return [
        [`mud of ${node.name}`, lastLines(app)],
        [`cometbft of ${node.name}`, lastLines(engine)],
      ];
    });
  }

  /** Ends what is no program of the network. */
  async stop(): Promise<void> {
    if (this.#localnet !== undefined) await stopNetwork(this.#localnet);
  }
}
