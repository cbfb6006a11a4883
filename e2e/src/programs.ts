/** The programs and commands of a network: they end with it, if not before. */
import { type Finished, Program, runCommand } from './process.ts';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly onStderr?: (line: string) => void;
}

export interface Start {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export class Programs {
  readonly #onLog: ((program: string, line: string) => void) | undefined;
  readonly #programs = new Map<string, Program>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #stopped = new AbortController();

  /** @param onLog log lines of all programs, behind the program's name */
  constructor(onLog: ((program: string, line: string) => void) | undefined) {
    this.#onLog = onLog;
  }

  /** Aborted when the network stops. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  /** One that was started. */
  program(name: string): Program {
    const program = this.#programs.get(name);
    if (program === undefined) throw new Error(`${name} has not been started`);
    return program;
  }

  /** The last lines of each one's log, by name. */
  lastLines(): [string, string][] {
    return [...this.#programs].map(([name, program]) => [name, program.lastLines.join('\n')]);
  }

  /** Runs a command to its end. */
  async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.track(runCommand(command, args, { ...options, signal: this.#stopped.signal }));
  }

  /** What `stop` waits for. */
  async track<T>(running: Promise<T>): Promise<T> {
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Starts a program that stays. */
  start({ name, command, args, env = {} }: Start): Program {
    this.#stopped.signal.throwIfAborted();
    const onLog = this.#onLog;
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

  /** Ends all, side by side. @param last name of the one that ends when the others have */
  async stop(last: string): Promise<void> {
    this.#stopped.abort();
    await Promise.allSettled(this.#running);
    await Promise.all([...this.#programs].map(([name, program]) => (name === last ? undefined : program.stop())));
    await this.#programs.get(last)?.stop();
  }
}

/** @throws Error with what the command wrote when it failed */
export async function must(running: Promise<Finished>): Promise<Finished> {
  const finished = await running;
  if (finished.code !== 0)
    throw new Error(`a command ended with code ${finished.code}:\n${finished.stderr}${finished.stdout}`);
  return finished;
}
