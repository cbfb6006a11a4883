/**
 * wasmer-js (`@wasmer/sdk`) as the engine: one SDK, no cache, no network, no file of the host, a fresh sandbox for each
 * call. It cannot stop a guest: the daemon kills the process.
 */
import { BroadcastChannel, setEnvironmentData } from 'node:worker_threads';
import { type Package, type Process, type ReadableBytes, Wasmer, WasmerError } from '@wasmer/sdk/node';
import { type Engine, type EngineCall, GuestFailure } from './engine.ts';
import { maxChunkBytes } from './engine-protocol.ts';
import { GuestLink, guestLinkKey, guestMemoryChannel } from './guest-link.ts';

/** A command that does nothing: `(module (memory (export "memory") 1) (func (export "_start")))`. */
const idleModule = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 19, 2, 6, 0x6d, 0x65, 0x6d, 0x6f,
  0x72, 0x79, 2, 0, 6, 0x5f, 0x73, 0x74, 0x61, 0x72, 0x74, 0, 0, 10, 4, 1, 2, 0, 0x0b,
]);
/** The SDK alternates between two threads and starts each at first use (130 ms): so many runs start both. */
const warmUpRuns = 3;
/** How long a guest's thread is waited for when it is asked for the size of its memory. */
const memoryAnswerMs = 250;
/** Allocators ask for more than a page at a time: a memory used to this part counts as full. */
const fullShare = 0.75;
const pageBytes = 65_536;

export class WasmerEngine implements Engine {
  readonly name = '@wasmer/sdk 0.16';
  readonly #link = new GuestLink();
  readonly #wasmer: Wasmer;
  /** In bytes, as the module has them. */
  #memory = { minimum: 0, maximum: 0 };
  #package: Package | undefined;

  constructor() {
    setEnvironmentData(guestLinkKey, this.#link.shared);
    this.#wasmer = new Wasmer({ parallelism: 1, cache: false });
  }

  async warmUp(): Promise<void> {
    await this.#wasmer.ready();
    this.#package = await this.#wasmer.packages.load(idleModule);
    const nothing = async () => {};
    for (let i = 0; i < warmUpRuns; i++) {
      await this.run({ args: ['idle'], env: {}, stdin: new Uint8Array(), stdout: nothing, stderr: nothing });
    }
    this.#package = undefined;
  }

  async load(module: Uint8Array): Promise<void> {
    this.#package = await this.#wasmer.packages.load(module);
    this.#memory = memoryOf(module);
  }

  async run(call: EngineCall): Promise<number> {
    const loaded = this.#package;
    if (loaded === undefined) throw new Error('no module is loaded');
    this.#link.setArguments(call.args);
    const sandbox = await this.#wasmer.sandboxes.create({ packages: [loaded], network: { mode: 'disabled' } });
    try {
      const command = sandbox.command(loaded, [], { env: call.env });
      const process = await command.spawn({ stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' });
      const outputs = Promise.all([
        feed(process, call.stdin),
        drain(process.stdout!, call.stdout),
        drain(process.stderr!, call.stderr),
      ]);
      await outputs;
      const { exitCode } = await process.wait();
      const memory = exitCode === 0 ? undefined : await this.#grownMemory();
      if (memory?.full === true)
        throw new GuestFailure('memory', `out of memory: ${memory.text} (exit code ${exitCode})`);
      return exitCode;
    } catch (error) {
      throw WasmerError.is(error, 'EXECUTION_ERROR') ? await this.#failureOf(error) : error;
    } finally {
      await sandbox.close();
    }
  }

  async #failureOf(error: Error): Promise<GuestFailure> {
    const trap = trapOf(error);
    const memory = await this.#grownMemory();
    if (memory?.full === true) return new GuestFailure('memory', `out of memory: ${memory.text} (${trap})`);
    return new GuestFailure('trap', memory === undefined ? trap : `${trap} (${memory.text})`);
  }

  /**
   * How much of its memory the last guest had; undefined where it has not grown. Nothing tells of a memory.grow that
   * failed, and what a program does then is a trap or an exit like any other; one that ends so with most of its limit
   * in use is taken to have ended of that.
   */
  async #grownMemory(): Promise<{ full: boolean; text: string } | undefined> {
    const { minimum, maximum } = this.#memory;
    const used = maximum > minimum ? await guestMemoryBytes() : undefined;
    if (used === undefined || used <= minimum) return undefined;
    return { full: used >= maximum * fullShare, text: `${mebibytes(used)} of ${mebibytes(maximum)} MiB in use` };
  }
}

function mebibytes(bytes: number): string {
  return String(Math.round((bytes / 1024 / 1024) * 10) / 10);
}

/** "unreachable" of "command execution failed: RuntimeError: js: unreachable\n at …". */
function trapOf(error: Error): string {
  const first = error.message.split('\n', 1)[0]!;
  return first.replace(/^command execution failed: /, '').replace(/^RuntimeError: (js: )?/, '');
}

async function feed(process: Process, stdin: Uint8Array): Promise<void> {
  try {
    for (let from = 0; from < stdin.length; from += maxChunkBytes) {
      await process.stdin!.write(stdin.subarray(from, from + maxChunkBytes));
    }
    await process.stdin!.close();
  } catch {
    // A program that ends without having read all of it is free to.
  }
}

async function drain(stream: ReadableBytes, take: (chunk: Uint8Array) => Promise<void>): Promise<void> {
  for await (const chunk of stream) await take(chunk);
}

/** The last guest's memory, from its thread; undefined where the thread does not answer. */
function guestMemoryBytes(): Promise<number | undefined> {
  const channel = new BroadcastChannel(guestMemoryChannel);
  return new Promise<number | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), memoryAnswerMs);
    channel.onmessage = (event: unknown) => {
      clearTimeout(timer);
      resolve((event as { data: number }).data);
    };
    channel.postMessage('size');
  }).finally(() => channel.close());
}

/** The limits in a module's memory section, in bytes. The daemon wrote it, so its form is known. */
function memoryOf(module: Uint8Array): { minimum: number; maximum: number } {
  const varU32 = (at: number): [value: number, next: number] => {
    let value = 0;
    for (let i = 0; ; i++) {
      const byte = module[at + i]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80 || i === 4) return [value, at + i + 1];
    }
  };
  for (let at = 8; at < module.length; ) {
    const [length, from] = varU32(at + 1);
    if (module[at] === 5) {
      const [minimum, maximumAt] = varU32(from + 2);
      return { minimum: minimum * pageBytes, maximum: varU32(maximumAt)[0] * pageBytes };
    }
    at = from + length;
  }
  return { minimum: 0, maximum: 0 };
}
