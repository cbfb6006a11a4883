/** A Cosmos SDK chain to compare with: `peerd oracle`, which answers JSON lines. Only scripts that make vectors use it. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

/** JSON as it is read and written here. */
// biome-ignore lint/suspicious/noExplicitAny: genesis documents of the Go chain have no type here
export type AnyJson = any;

/** What became of a transaction. */
export interface OracleTx {
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly gas_wanted: number;
  readonly gas_used: number;
  /** base64 */
  readonly data: string;
  readonly events: readonly { type: string; attributes: readonly { key: string; value: string }[] }[];
}

/** The path of the program: the first argument, else the environment's PEERD. */
export function peerdPath(): string {
  const path = process.argv[2] ?? process.env['PEERD'];
  if (path === undefined) throw new Error('name the peerd program: as the first argument or in PEERD');
  return path;
}

/** The genesis document that `peerd init` writes, with all modules' defaults. */
export function defaultGenesis(peerd: string, chainId: string): AnyJson {
  const home = mkdtempSync(join(tmpdir(), 'mu-vectors-'));
  try {
    execFileSync(peerd, ['init', 'vectors', '--chain-id', chainId, '--home', home], { stdio: 'ignore' });
    return JSON.parse(readFileSync(join(home, 'config/genesis.json'), 'utf8'));
  } finally {
    rmSync(home, { recursive: true });
  }
}

/** One running oracle. Questions are answered in their order. */
export class Oracle {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(peerd: string, flags: readonly string[] = []) {
    this.#process = spawn(peerd, ['oracle', '--log_level', 'disabled', ...flags]);
    this.#process.stderr.pipe(process.stderr);
    const lines: Interface = createInterface({ input: this.#process.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** @throws Error when the answer is one, unless failures are wanted */
  async ask(question: object, failures: 'throw' | 'return' = 'throw'): Promise<AnyJson> {
    this.#process.stdin.write(`${JSON.stringify(question)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the oracle has ended');
    const answer = JSON.parse(line.value);
    if (answer.error !== undefined && failures === 'throw') {
      throw new Error(`oracle: ${JSON.stringify(answer).slice(0, 2000)}`);
    }
    return answer;
  }

  close(): void {
    this.#process.stdin.end();
  }
}
