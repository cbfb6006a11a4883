/**
 * A sandbox process: warms its engine up, drops its privileges, takes one module and runs calls of it until it is killed
 * or its pipe ends. It holds no key and no secret but those of the call it runs; its environment is empty but for
 * MU_SANDBOX_UID.
 */
import { Socket } from 'node:net';
import { type Engine, GuestFailure } from './engine.ts';
import { type EngineMessage, encodeMessage, FrameReader, maxChunkBytes, maxRequestBytes } from './engine-protocol.ts';
import { WasmerEngine } from './wasmer-engine.ts';

/** The pipe to the daemon. */
const pipe = new Socket({ fd: 3, readable: true, writable: true });

async function send(message: EngineMessage): Promise<void> {
  if (pipe.write(encodeMessage(message))) return;
  // Full: the program waits until the daemon, and behind it the client, has taken what there is.
  await new Promise<void>((resolve) => pipe.once('drain', resolve));
}

/** Before any foreign code: from here on there is no way back to root. */
function dropPrivileges(): number {
  const target = Number(process.env['MU_SANDBOX_UID'] ?? '');
  if (target > 0) {
    process.setgroups!([]);
    process.setgid!(target);
    process.setuid!(target);
    if (process.getuid!() !== target || process.getgid!() !== target) throw new Error('privileges were not dropped');
  }
  return process.getuid!();
}

class Sandbox {
  readonly #engine: Engine;
  #call: { id: number; env: Readonly<Record<string, string>>; args: readonly string[]; body: Buffer[] } | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async handle(message: EngineMessage): Promise<void> {
    if (message.kind === 'load') return this.#load(message.module);
    if (message.kind === 'invoke') this.#call = { ...message, body: [] };
    else if (message.kind === 'stdin') this.#call?.body.push(message.bytes as Buffer);
    else if (message.kind === 'stdinEnd') return this.#run();
    else throw new Error(`a daemon does not send ${message.kind}`);
  }

  async #load(module: Uint8Array): Promise<void> {
    try {
      await this.#engine.load(module);
      await send({ kind: 'loaded' });
    } catch (error) {
      await send({ kind: 'refused', message: messageOf(error) });
    }
  }

  async #run(): Promise<void> {
    const call = this.#call;
    if (call === undefined) throw new Error('the end of a call that was not begun');
    this.#call = undefined;
    const { id, args, env } = call;
    const started = process.hrtime.bigint();
    const micros = () => Number((process.hrtime.bigint() - started) / 1000n);
    try {
      const exitCode = await this.#engine.run({
        args,
        env,
        stdin: Buffer.concat(call.body),
        stdout: (bytes) => sendChunks('stdout', id, bytes),
        stderr: (bytes) => sendChunks('stderr', id, bytes),
      });
      await send({ kind: 'done', id, exitCode, runMicros: micros() });
    } catch (error) {
      if (!(error instanceof GuestFailure)) throw error;
      const message = error.message.slice(0, 1000);
      await send({ kind: 'failed', id, reason: error.reason, runMicros: micros(), message });
    }
  }
}

async function sendChunks(kind: 'stdout' | 'stderr', id: number, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length; from += maxChunkBytes) {
    await send({ kind, id, bytes: bytes.subarray(from, from + maxChunkBytes) });
  }
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!.slice(0, 1000);
}

/** What the sandbox itself cannot go on from ends it; the daemon replaces it and has this line for its log. */
function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`, () => process.exit(1));
}

// The daemon is gone: so is every reason to live. An orderly exit would wait for a guest that spins.
const die = () => process.kill(process.pid, 'SIGKILL');
pipe.on('end', die);
pipe.on('error', die);
process.on('unhandledRejection', fail);

const engine = new WasmerEngine();
await engine.warmUp();
const uid = dropPrivileges();
const sandbox = new Sandbox(engine);
const frames = new FrameReader(maxRequestBytes);
pipe.on('data', (chunk: Buffer) => {
  try {
    for (const message of frames.push(chunk)) sandbox.handle(message).catch(fail);
  } catch (error) {
    fail(error);
  }
});
await send({ kind: 'ready', engine: engine.name, uid });
