/** Real processes for the demo and the end-to-end tests: started, watched, and never left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Each line of its log (stderr). */
  readonly onLog?: (line: string) => void;
}

const stopMs = 15_000;

/** A long-running program that says on its first line of stdout, in JSON, that it is ready. */
export class Program {
  readonly name: string;
  /** resolves with the JSON of the first line; rejects when the program ends before it */
  readonly ready: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #lastLines: string[] = [];

  constructor(options: ProcessOptions) {
    this.name = options.name;
    // A group of its own: Ctrl-C reaches only us, and we stop it in turn.
    this.#child = spawn(options.command, options.args, {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code) => resolve(code));
      this.#child.once('error', () => resolve(null));
    });
    createInterface({ input: this.#child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > 30) this.#lastLines.shift();
      options.onLog?.(line);
    });
    this.ready = this.#firstLine();
    // Whoever waits for it learns of a failure; nobody has to.
    this.ready.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last lines of its log. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  /** Asks it to end, and insists after a while. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.#signal('SIGKILL'), stopMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** `kill -9`: no goodbye. Its children lose their parent and end by themselves. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal);
  }

  async #firstLine(): Promise<unknown> {
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    const first = new Promise<unknown>((resolve, reject) => {
      lines.once('line', (line) => {
        try {
          resolve(JSON.parse(line));
        } catch {
          reject(new Error(`${this.name} said "${line}" where JSON was expected`));
        }
      });
    });
    const gone = this.#ended.then((code) => {
      throw new Error(`${this.name} ended with code ${code} before it was ready:\n${this.#lastLines.join('\n')}`);
    });
    return Promise.race([first, gone]);
  }
}

/** What a command answered. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. @param onStderr each line as it comes */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: {
    readonly env?: Readonly<Record<string, string>>;
    readonly onStderr?: (line: string) => void;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Finished> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    stderr += `${line}\n`;
    options.onStderr?.(line);
  });
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  // Also one that was stopped is waited for: when this ends, the process is gone.
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 1)));
  if (failure !== undefined) throw failure;
  return { code, stdout, stderr };
}

/** Waits for a condition, bounded. @throws Error that says what did not come */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = 60_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`${what} did not come within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
