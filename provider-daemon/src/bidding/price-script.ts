/**
 * Runs the price script: any program, one process for each order. It gets a line on stdin, answers on stdout and ends with
 * code 0, all within the time limit; at its end, or the limit's, its whole process group is killed. It sees nothing of the
 * daemon's environment but PATH, so that no secret of it reaches a script that somebody else wrote.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export interface PriceScriptOptions {
  readonly program: string;
  readonly timeoutMs: number;
  /** processes at a time; further orders wait their turn */
  readonly jobs: number;
}

export type ScriptOutput = { readonly text: string } | { readonly failure: string };

/** More on stdout is no price. */
export const maxOutputBytes = 65_536;
/** Of stderr only the beginning is told. */
const maxErrorBytes = 500;

export class PriceScript {
  readonly #options: PriceScriptOptions;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: PriceScriptOptions) {
    this.#options = options;
  }

  /** Asks one question. Never rejects: what went wrong is in words in `failure`. */
  async ask(question: string): Promise<ScriptOutput> {
    if (this.#running >= this.#options.jobs) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await runScript(this.#options, question);
    } finally {
      const next = this.#waiting.shift();
      // The place is handed over, so that nobody slips in between.
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

type Script = ChildProcessByStdio<Writable, Readable, Readable>;

async function runScript({ program, timeoutMs }: PriceScriptOptions, question: string): Promise<ScriptOutput> {
  const child = spawn(program, [], {
    cwd: dirname(program),
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own: its children can be killed with it.
    detached: true,
  });
  const { promise, resolve } = Promise.withResolvers<ScriptOutput>();
  child.once('error', (error) => resolve({ failure: `the price script cannot be run: ${error.message}` }));
  // Then it may have no pipes either.
  if (child.pid === undefined) return promise;
  const output = collect(child, () => resolve({ failure: `the price script wrote more than ${maxOutputBytes} bytes` }));
  const timer = setTimeout(() => resolve({ failure: `the price script gave no answer in ${timeoutMs} ms` }), timeoutMs);
  // A child that the script left behind may hold its stdout open: without it `close` would never come.
  child.once('exit', () => killGroup(child));
  child.once('close', (code, signal) => {
    if (code === 0) resolve({ text: output.out() });
    else resolve({ failure: `the price script ended with ${code ?? signal}: ${output.err()}` });
  });
  // A script that does not read its question has not failed by that.
  child.stdin.once('error', () => undefined);
  child.stdin.end(`${question}\n`);
  const answer = await promise;
  clearTimeout(timer);
  killGroup(child);
  return answer;
}

function collect(child: Script, onTooMuch: () => void): { out(): string; err(): string } {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let [outBytes, errBytes] = [0, 0];
  child.stdout.on('data', (chunk: Buffer) => {
    outBytes += chunk.length;
    if (outBytes > maxOutputBytes) onTooMuch();
    else out.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (errBytes < maxErrorBytes) err.push(chunk);
    errBytes += chunk.length;
  });
  return {
    out: () => Buffer.concat(out).toString('utf8'),
    err: () => Buffer.concat(err).toString('utf8').slice(0, maxErrorBytes).trim(),
  };
}

function killGroup({ pid }: Script): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of the group is left.
  }
}
