/**
 * The protocol between the daemon and a sandbox process, over one pipe. A frame is
 *
 *     u32 little-endian: bytes that follow | u8: kind | body
 *
 * Numbers in bodies are little-endian. One call at a time: the daemon sends the next Invoke when Done or Failed has come.
 *
 *     daemon → sandbox
 *       1 Load       the module, its memory already limited; once in the life of a process
 *       2 Invoke     JSON {id, env, args}: a call, whose body follows
 *       3 Stdin      u32 id | bytes of the body
 *       4 StdinEnd   u32 id: the body is complete, the call begins
 *     sandbox → daemon
 *      64 Ready      JSON {engine, uid}: the engine is warm and privileges are dropped
 *      65 Loaded     nothing: calls may come
 *      66 Refused    UTF-8: the engine cannot load the module
 *      67 Stdout     u32 id | bytes
 *      68 Stderr     u32 id | bytes
 *      69 Done       u32 id | i32 exit code | u64 running time in µs
 *      70 Failed     u32 id | u8 reason (0 trap, 1 memory) | u64 running time in µs | UTF-8 what happened
 *
 * Kill is no message: a guest may never look. The daemon kills the process, and its end is the answer.
 */

export const messageKinds = {
  load: 1,
  invoke: 2,
  stdin: 3,
  stdinEnd: 4,
  ready: 64,
  loaded: 65,
  refused: 66,
  stdout: 67,
  stderr: 68,
  done: 69,
  failed: 70,
} as const;

export type FailedReason = 'trap' | 'memory';

export type EngineMessage =
  | { readonly kind: 'load'; readonly module: Uint8Array }
  | {
      readonly kind: 'invoke';
      readonly id: number;
      readonly env: Readonly<Record<string, string>>;
      readonly args: readonly string[];
    }
  | { readonly kind: 'stdin' | 'stdout' | 'stderr'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'stdinEnd'; readonly id: number }
  | { readonly kind: 'ready'; readonly engine: string; readonly uid: number }
  | { readonly kind: 'loaded' }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'done'; readonly id: number; readonly exitCode: number; readonly runMicros: number }
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly reason: FailedReason;
      readonly runMicros: number;
      readonly message: string;
    };

/** Bytes of stdin, stdout and stderr that one frame carries at most. */
export const maxChunkBytes = 64 * 1024;
/** The longest frame that the daemon takes from a sandbox: a chunk, or a message of an error. */
export const maxReplyBytes = 128 * 1024;
/** The longest frame that a sandbox takes: a module. */
export const maxRequestBytes = 80 * 1024 * 1024;

const failedReasons = ['trap', 'memory'] as const;

/** A frame. */
export function encodeMessage(message: EngineMessage): Buffer {
  const parts = bodyOf(message);
  const length = parts.reduce((sum, part) => sum + part.length, 1);
  const head = Buffer.allocUnsafe(5);
  head.writeUInt32LE(length, 0);
  head.writeUInt8(messageKinds[message.kind], 4);
  return Buffer.concat([head, ...parts], length + 4);
}

function bodyOf(message: EngineMessage): Uint8Array[] {
  switch (message.kind) {
    case 'load':
      return [message.module];
    case 'invoke':
      return [Buffer.from(JSON.stringify({ id: message.id, env: message.env, args: message.args }))];
    case 'stdin':
    case 'stdout':
    case 'stderr':
      return [u32(message.id), message.bytes];
    case 'stdinEnd':
      return [u32(message.id)];
    case 'ready':
      return [Buffer.from(JSON.stringify({ engine: message.engine, uid: message.uid }))];
    case 'loaded':
      return [];
    case 'refused':
      return [Buffer.from(message.message)];
    case 'done': {
      const exit = Buffer.allocUnsafe(4);
      exit.writeInt32LE(message.exitCode);
      return [u32(message.id), exit, u64(message.runMicros)];
    }
    case 'failed': {
      const reason = Uint8Array.of(failedReasons.indexOf(message.reason));
      return [u32(message.id), reason, u64(message.runMicros), Buffer.from(message.message)];
    }
  }
}

/** What a peer sent is not the protocol. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolError';
  }
}

/**
 * A message from a frame's kind and body.
 * @throws ProtocolError
 */
export function decodeMessage(kind: number, body: Buffer): EngineMessage {
  try {
    return decodeBody(kind, body);
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError(`a message of kind ${kind} is damaged`);
  }
}

function decodeBody(kind: number, body: Buffer): EngineMessage {
  switch (kind) {
    case messageKinds.load:
      return { kind: 'load', module: body };
    case messageKinds.invoke: {
      const { id, env, args } = JSON.parse(body.toString()) as {
        id: number;
        env: Record<string, string>;
        args: string[];
      };
      return { kind: 'invoke', id, env, args };
    }
    case messageKinds.stdin:
      return { kind: 'stdin', id: body.readUInt32LE(0), bytes: body.subarray(4) };
    case messageKinds.stdinEnd:
      return { kind: 'stdinEnd', id: body.readUInt32LE(0) };
    case messageKinds.ready: {
      const { engine, uid } = JSON.parse(body.toString()) as { engine: unknown; uid: unknown };
      return { kind: 'ready', engine: String(engine), uid: Number(uid) };
    }
    case messageKinds.loaded:
      return { kind: 'loaded' };
    case messageKinds.refused:
      return { kind: 'refused', message: body.toString() };
    case messageKinds.stdout:
      return { kind: 'stdout', id: body.readUInt32LE(0), bytes: body.subarray(4) };
    case messageKinds.stderr:
      return { kind: 'stderr', id: body.readUInt32LE(0), bytes: body.subarray(4) };
    case messageKinds.done: {
      const runMicros = Number(body.readBigUInt64LE(8));
      return { kind: 'done', id: body.readUInt32LE(0), exitCode: body.readInt32LE(4), runMicros };
    }
    case messageKinds.failed: {
      const reason = failedReasons[body.readUInt8(4)];
      if (reason === undefined) throw new ProtocolError('a failure of an unknown reason');
      const runMicros = Number(body.readBigUInt64LE(5));
      return { kind: 'failed', id: body.readUInt32LE(0), reason, runMicros, message: body.toString('utf8', 13) };
    }
    default:
      throw new ProtocolError(`a message of the unknown kind ${kind}`);
  }
}

/** Puts frames together from the pieces of a stream. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws ProtocolError where a frame is too long or not one */
  *push(chunk: Buffer): Generator<EngineMessage> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= 4) {
      const length = this.#peekLength();
      if (length < 1 || length > this.#maxBytes) throw new ProtocolError(`a frame of ${length} bytes`);
      if (this.#length < length + 4) return;
      // Joined only when the frame is whole: a large module comes in many pieces.
      const joined = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks, this.#length);
      const rest = joined.subarray(length + 4);
      this.#chunks = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
      yield decodeMessage(joined[4]!, joined.subarray(5, length + 4));
    }
  }

  #peekLength(): number {
    if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks, this.#length)];
    return this.#chunks[0]!.readUInt32LE(0);
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(BigInt(Math.round(value)));
  return bytes;
}
