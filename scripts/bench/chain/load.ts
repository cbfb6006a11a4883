/** Runs the load program against a side and reads its report. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { chainId, mnemonic, type Side } from './side.ts';

const run = promisify(execFile);

/** A line of the load program; its README says what each figure means. */
export interface LoadReport {
  readonly tx_per_s: number;
  readonly committed_ok: number;
  readonly failed: number;
  readonly lost: number;
  readonly block_ms_p50: number;
  readonly use: Readonly<Record<string, { readonly cpu_s: number; readonly rss_peak_mib?: number }>>;
}

export interface QueryReport {
  readonly per_s: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly failed: number;
}

export class Load {
  readonly #program: string;

  constructor(program: string) {
    this.#program = program;
  }

  /** Pre-signed sends between accounts. */
  async sends(side: Side, accounts: number, txs: number): Promise<LoadReport> {
    const pids = Object.entries(side.pids()).map(([name, pid]) => `${name}=${pid}`);
    const flags = ['-accounts', `${accounts}`, '-txs', `${txs}`, '-conc', '8', '-pids', pids.join(',')];
    return (await this.#run('tx', side, flags)) as LoadReport;
  }

  /** Balances by abci_query. */
  async queries(side: Side, seconds: number): Promise<QueryReport> {
    return (await this.#run('query', side, ['-how', 'abci', '-conc', '4', '-seconds', `${seconds}`])) as QueryReport;
  }

  async #run(command: string, side: Side, flags: readonly string[]): Promise<unknown> {
    const chain = ['-chain-id', chainId, '-prefix', side.prefix, '-denom', side.denom];
    const to = side.filled > 0 ? ['-to', 'filled', '-filled', `${side.filled}`] : [];
    const all = [command, '-rpc', side.rpc, '-label', side.name, ...chain, ...to, ...flags];
    const { stdout } = await run(this.#program, all, {
      env: { ...process.env, PEER_MNEMONIC: mnemonic },
      maxBuffer: 1 << 26,
    });
    return JSON.parse(stdout.trim().split('\n').at(-1) as string);
  }
}
