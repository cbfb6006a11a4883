/** A real CometBFT with one validator, in a folder of its own, for the tests of what it drives. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../../scripts/lib/localnet/ports.ts';
import { editToml } from '../../../../scripts/lib/localnet/toml.ts';

export class CometProcess {
  readonly #program: string;
  readonly #home: string;
  #rpc = '';
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  /** What it logged since its last start. */
  log = '';

  constructor(program: string, home: string) {
    this.#program = program;
    this.#home = home;
  }

  /** Makes its config, and keys and genesis where there are none. */
  async init(proxyApp: string): Promise<void> {
    execFileSync(this.#program, ['init', '--home', this.#home], { stdio: 'ignore', timeout: 60_000 });
    const [rpc, p2p] = await freePorts(2);
    this.#rpc = `http://127.0.0.1:${rpc}`;
    const file = join(this.#home, 'config', 'config.toml');
    const settings = {
      proxy_app: proxyApp,
      log_level: 'error',
      'rpc.laddr': `tcp://127.0.0.1:${rpc}`,
      'rpc.pprof_laddr': '',
      'p2p.laddr': `tcp://127.0.0.1:${p2p}`,
      'consensus.timeout_commit': '50ms',
    };
    writeFileSync(file, editToml(readFileSync(file, 'utf8'), settings));
  }

  start(): void {
    this.log = '';
    const child = spawn(this.#program, ['start', '--home', this.#home], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.log += text.toString();
      });
    }
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
  }

  get ended(): Promise<void> {
    return this.#ended;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    await this.#ended;
  }

  /** A call of its RPC. @throws Error with its words */
  async call<T>(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<T> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const answer = await fetch(this.#rpc, { method: 'POST', body });
    const { result, error } = (await answer.json()) as { result: T; error?: { message: string; data: string } };
    if (error !== undefined) throw new Error(`${error.message}: ${error.data}`);
    return result;
  }

  /** Resolves with its height once it has one. @throws Error with its log when it ends before */
  async untilHeight(height: number): Promise<number> {
    const dead = this.#ended.then(() => {
      throw new Error(`CometBFT has ended:\n${this.log.slice(-2000)}`);
    });
    for (;;) {
      const answer = await Promise.race([dead, this.#height()]);
      if (answer >= height) {
        dead.catch(() => undefined);
        return answer;
      }
    }
  }

  async #height(): Promise<number> {
    try {
      const { sync_info } = await this.call<{ sync_info: { latest_block_height: string } }>('status');
      return Number(sync_info.latest_block_height);
    } catch {
      // Its RPC opens some time after it started.
      await new Promise((resolve) => setImmediate(resolve));
      return 0;
    }
  }
}
