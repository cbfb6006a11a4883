/** The daemon's end of one sandbox process. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { type Invocation, type OutputSink, WorkloadError } from './driver.ts';
import type { Isolation, SandboxCode } from './isolation.ts';
import { LineSplitter } from './line-splitter.ts';
import { standBack } from './priority.ts';
import {
  type EngineMessage,
  encodeMessage,
  FrameReader,
  maxChunkBytes,
  maxReplyBytes,
} from './sandbox/engine-protocol.ts';

/** V8's heap inside a sandbox, for the engine itself: the guest's memory is not part of it. */
const heapMegabytes = 96;

/** Time to become ready, and to load a module. */
const startMs = 30_000;

export interface SandboxSettings {
  readonly isolation: Isolation;
  readonly code: SandboxCode;
}

/** What a call came to: its running time is known however it ended. */
export interface CallOutcome {
  readonly runMicros: number;
  readonly exitCode?: number;
  readonly error?: WorkloadError;
}

export interface CallHandlers {
  readonly stdout: OutputSink;
  readonly stderr: (chunk: Uint8Array) => void;
  readonly timeoutMs: number;
}

interface RunningCall extends CallHandlers {
  readonly id: number;
  readonly started: number;
  readonly timer: NodeJS.Timeout;
  readonly finish: (outcome: CallOutcome) => void;
}

type Message<K extends EngineMessage['kind']> = Extract<EngineMessage, { kind: K }>;

export class SandboxProcess {
  readonly #child: ChildProcess;
  /** Undefined where there were not even descriptors to make one: then the process has not come to be. */
  readonly #pipe: Duplex | undefined;
  readonly #frames = new FrameReader(maxReplyBytes);
  readonly #ready = Promise.withResolvers<Message<'ready'>>();
  readonly #exited = Promise.withResolvers<void>();
  #loading: PromiseWithResolvers<void> | undefined;
  #call: RunningCall | undefined;
  #nextId = 1;
  /** Why the daemon killed it; undefined while it lives, or when it ended by itself. */
  #killedFor: WorkloadError | undefined;
  #lastWords = '';
  #alive = true;

  constructor({ isolation, code }: SandboxSettings) {
    const [program, ...args] = [...isolation.prefix, process.execPath, ...nodeArguments(code)];
    this.#child = spawn(program!, args, {
      cwd: '/',
      env: isolation.uid === undefined ? {} : { MU_SANDBOX_UID: String(isolation.uid) },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C at the daemon's terminal is the daemon's to handle.
      detached: true,
    });
    const { stdio, stderr } = this.#child as Partial<ChildProcess>;
    this.#pipe = stdio?.[3] as Duplex | undefined;
    this.#pipe?.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#pipe?.on('error', () => {}); // its end is what counts, and `exit` tells of it
    const words = new LineSplitter((line) => {
      this.#lastWords = line === '' ? this.#lastWords : line;
    });
    stderr?.on('data', (chunk: Buffer) => words.push(chunk));
    this.#child.on('error', (error) => this.#ended(`could not be started: ${error.message}`));
    this.#child.on('exit', (code, signal) => this.#ended(signal ?? `exit code ${code}`));
    this.#within(this.#ready.promise, 'become ready').catch(() => {});
  }

  /** Resolves when the engine is warm. @throws WorkloadError `failed` where the process ended instead */
  ready(): Promise<Message<'ready'>> {
    return this.#ready.promise;
  }

  /** Resolves when the process is gone, for whatever reason. */
  exited(): Promise<void> {
    return this.#exited.promise;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws WorkloadError `invalid` where the engine refuses the module */
  async load(module: Uint8Array): Promise<void> {
    await this.ready();
    // Until here all that ran was ours; what a caller waits for, the start, has gone at full speed.
    if (this.pid !== undefined) standBack(this.pid);
    this.#loading = Promise.withResolvers<void>();
    this.#send({ kind: 'load', module });
    await this.#within(this.#loading.promise, 'load the module');
  }

  /** Runs a call; one at a time. It never rejects: a call that failed has used time too. */
  call(invocation: Invocation, handlers: CallHandlers): Promise<CallOutcome> {
    const { promise, resolve } = Promise.withResolvers<CallOutcome>();
    if (!this.#alive || this.#call !== undefined) {
      resolve({ runMicros: 0, error: new WorkloadError('failed', 'the sandbox cannot take a call') });
      return promise;
    }
    const id = this.#nextId++;
    const { timeoutMs } = handlers;
    const timer = setTimeout(() => {
      this.kill(new WorkloadError('time_limit', `ran past its time limit of ${timeoutMs} ms`));
    }, timeoutMs);
    this.#call = { ...handlers, id, started: performance.now(), timer, finish: resolve };
    this.#send({ kind: 'invoke', id, env: invocation.env, args: invocation.args });
    for (let from = 0; from < invocation.stdin.length; from += maxChunkBytes) {
      this.#send({ kind: 'stdin', id, bytes: invocation.stdin.subarray(from, from + maxChunkBytes) });
    }
    this.#send({ kind: 'stdinEnd', id });
    return promise;
  }

  /** Ends the process now; a running call ends with `reason`. */
  kill(reason: WorkloadError): void {
    this.#killedFor ??= reason;
    // Where there is no process Node would kill the group of this one.
    if (this.pid !== undefined) this.#child.kill('SIGKILL');
  }

  /** Starting and compiling end one way or the other: a sandbox that hangs is killed. */
  async #within<T>(promise: Promise<T>, what: string): Promise<T> {
    const timer = setTimeout(
      () => this.kill(new WorkloadError('failed', `the sandbox did not ${what} in time`)),
      startMs,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #send(message: EngineMessage): void {
    if (this.#alive) this.#pipe?.write(encodeMessage(message));
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#frames.push(chunk)) this.#handle(message);
    } catch (error) {
      // Only a sandbox that the guest has taken over would send this.
      this.kill(new WorkloadError('failed', `the sandbox broke the protocol: ${(error as Error).message}`));
    }
  }

  #handle(message: EngineMessage): void {
    if (this.#killedFor !== undefined) return;
    switch (message.kind) {
      case 'ready':
        this.#ready.resolve(message);
        break;
      case 'loaded':
        this.#loading?.resolve();
        break;
      case 'refused':
        this.#loading?.reject(new WorkloadError('invalid', message.message));
        break;
      default:
        this.#handleCall(message);
    }
  }

  #handleCall(message: EngineMessage): void {
    const call = this.#call;
    if (call === undefined || !('id' in message) || message.id !== call.id)
      throw new Error(`${message.kind} of no call`);
    if (message.kind === 'stdout') this.#stdout(call, message.bytes);
    else if (message.kind === 'stderr') call.stderr(message.bytes);
    else if (message.kind === 'done') this.#finish(call, { exitCode: message.exitCode, runMicros: message.runMicros });
    else if (message.kind === 'failed') {
      const error = new WorkloadError(message.reason, message.message);
      this.#finish(call, { error, runMicros: message.runMicros });
    } else throw new Error(`a sandbox does not send ${message.kind}`);
  }

  /** Where the receiver is slow, the pipe fills and holds the guest back. */
  #stdout(call: RunningCall, bytes: Uint8Array): void {
    const wait = call.stdout(bytes);
    if (wait === undefined) return;
    this.#pipe?.pause();
    const goOn = () => void this.#pipe?.resume();
    wait.then(goOn, goOn);
  }

  #finish(call: RunningCall, outcome: CallOutcome): void {
    clearTimeout(call.timer);
    this.#call = undefined;
    // The sandbox measures without the way through the pipe; it cannot have run longer than the daemon waited.
    const elapsed = Math.ceil((performance.now() - call.started) * 1000);
    call.finish({ ...outcome, runMicros: Math.min(outcome.runMicros, elapsed) });
  }

  #ended(how: string): void {
    if (!this.#alive) return;
    this.#alive = false;
    const detail = this.#lastWords === '' ? how : `${how}: ${this.#lastWords}`;
    const error = this.#killedFor ?? new WorkloadError('failed', `the sandbox process ended (${detail})`);
    this.#ready.reject(error);
    this.#loading?.promise.catch(() => {});
    this.#loading?.reject(error);
    this.#pipe?.destroy();
    if (this.#call !== undefined) this.#finish(this.#call, { error, runMicros: Number.MAX_SAFE_INTEGER });
    this.#exited.resolve();
  }
}

function nodeArguments(code: SandboxCode): string[] {
  return [
    // Nothing of the host may be read but the engine, nothing written, no program started.
    '--permission',
    '--allow-worker',
    ...code.readable.map((path) => `--allow-fs-read=${path}`),
    '--disable-warning=SecurityWarning',
    '--disable-warning=ExperimentalWarning',
    `--max-old-space-size=${heapMegabytes}`,
    '--max-semi-space-size=1',
    '--import',
    `${code.folder}/guest-hook.ts`,
    `${code.folder}/entry.ts`,
  ];
}
