/** A command of the tenant’s inside a running container: a shell with a terminal, or a program with pipes. */
import type { Duplex } from 'node:stream';
import { type ExecRequest, type ExecSession, WorkloadError } from '../driver.ts';
import type { Clock } from './clock.ts';
import { type Engine, EngineError } from './engine.ts';
import { FrameSplitter } from './frames.ts';
import { killSession, sessionOf } from './process-session.ts';

export const execLimits = {
  /** Sessions at once on one provider. */
  maxSessions: 64,
  /** And in one workload. */
  maxPerWorkload: 8,
  maxCommandBytes: 16 * 1024,
  maxColumns: 1_000,
} as const;

const pollMs = 50;
const startMs = 10_000;
/** Exit codes of the engine for a command that cannot be run, or does not exist. */
const noCommand = [126, 127];

export interface ExecParts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly containerId: string;
}

/** @throws WorkloadError `invalid` where the command does not exist or the container does not run */
export async function startExec(
  { engine, clock, containerId }: ExecParts,
  { command, tty }: Pick<ExecRequest, 'command' | 'tty'>,
): Promise<ContainerExec> {
  checkCommand(command);
  let execId: string;
  let socket: Duplex;
  try {
    execId = await engine.execCreate(containerId, { command, tty });
    socket = await engine.execStart(execId, tty);
  } catch (error) {
    if (!(error instanceof EngineError) || error.gone) throw error;
    throw new WorkloadError('invalid', error.message);
  }
  // What the command writes first waits in the socket; errors of it are told when it is read.
  socket.on('error', () => {});
  try {
    const pid = await startedPid({ engine, clock, execId }, command);
    return new ContainerExec({ engine, clock, execId, socket, tty, containerId, pid });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Of the command, as this machine counts them. @throws WorkloadError where it does not exist, or does not start in time */
async function startedPid(
  { engine, clock, execId }: Pick<ExecParts, 'engine' | 'clock'> & { readonly execId: string },
  command: readonly string[],
): Promise<number> {
  const startedMs = clock.elapsed();
  for (;;) {
    const { running, pid, exitCode } = await engine.execInspect(execId);
    if (pid > 0) return pid;
    if (!running && exitCode >= 0 && noCommand.includes(exitCode)) {
      throw new WorkloadError('invalid', `there is no command ${command[0]} in the container`);
    }
    if (clock.elapsed() - startedMs > startMs) {
      throw new WorkloadError('failed', `the command has not started within ${startMs / 1000} s`);
    }
    await clock.wait(pollMs);
  }
}

function checkCommand(command: readonly string[]): void {
  const bytes = command.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  if (command.length === 0 || command[0] === '') throw new WorkloadError('invalid', 'an empty command');
  if (bytes > execLimits.maxCommandBytes || command.some((word) => word.includes('\0'))) {
    throw new WorkloadError('invalid', `a command above ${execLimits.maxCommandBytes} bytes, or with a zero byte`);
  }
}

interface ContainerExecOptions extends ExecParts {
  readonly execId: string;
  readonly socket: Duplex;
  readonly tty: boolean;
  /** Of the command, as this machine counts them. */
  readonly pid: number;
}

export class ContainerExec implements ExecSession {
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly chunk: Uint8Array }>;
  /** Of the command; 137 where it was ended by `close`. Known once its output has been read to the end. */
  readonly exitCode: Promise<number>;
  readonly #options: ContainerExecOptions;
  readonly #session: number | undefined;

  constructor(options: ContainerExecOptions) {
    this.#options = options;
    this.#session = sessionOf(options.pid, options.containerId);
    this.output = this.#read();
    this.exitCode = this.#end();
    this.exitCode.catch(() => {});
  }

  async write(chunk: Uint8Array): Promise<void> {
    const { socket } = this.#options;
    if (socket.destroyed || socket.writableEnded) throw new WorkloadError('stopped', 'the command has ended');
    if (socket.write(chunk)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('drain', resolve).once('close', resolve);
    await promise;
    socket.off('drain', resolve).off('close', resolve);
  }

  end(): void {
    this.#options.socket.end();
  }

  async resize(columns: number, rows: number): Promise<void> {
    const isSize = (size: number): boolean => Number.isInteger(size) && size >= 1 && size <= execLimits.maxColumns;
    if (!isSize(columns) || !isSize(rows)) {
      throw new WorkloadError(
        'invalid',
        `a terminal of ${columns} × ${rows}, from 1 to ${execLimits.maxColumns} are allowed`,
      );
    }
    await this.#options.engine.execResize(this.#options.execId, columns, rows);
  }

  close(): void {
    // The engine lets a command run on when its connection ends.
    if (this.#session !== undefined) killSession(this.#session, this.#options.containerId);
    this.#options.socket.destroy();
  }

  async *#read(): AsyncGenerator<{ stream: 'stdout' | 'stderr'; chunk: Uint8Array }> {
    const { socket, tty } = this.#options;
    const frames = new FrameSplitter();
    try {
      for await (const chunk of socket as AsyncIterable<Uint8Array>) {
        if (tty) yield { stream: 'stdout', chunk };
        else for (const { stream, payload } of frames.push(chunk)) yield { stream, chunk: payload };
      }
    } catch (error) {
      // The connection went; the exit code says how the command ended.
      if (!socket.destroyed) throw error;
    }
  }

  async #end(): Promise<number> {
    const { socket, engine, execId, clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once('close', resolve).once('end', resolve);
    if (socket.destroyed || socket.readableEnded) resolve();
    await promise;
    // The connection ends a little before the engine knows the exit code.
    for (;;) {
      const { running, exitCode } = await engine.execInspect(execId);
      if (!running) return exitCode;
      await clock.wait(pollMs);
    }
  }
}
