/** A command in a container at a provider, over a websocket on a connection whose certificate was checked before. */
import type { IncomingMessage } from 'node:http';
import { type RawData, WebSocket } from 'ws';
import { ProviderConnectionError } from './errors.ts';
import { readAll, refusal, signedHeaders, type TenantAccess } from './exchange.ts';
import { dataFrames, decodeFrame, encodeFrame, maxFrameBytes } from './exec-frames.ts';
import type { ProviderAddress } from './provider-address.ts';
import { connectProvider } from './provider-tls.ts';

export interface ExecOptions {
  readonly access: TenantAccess;
  readonly lease: bigint;
  readonly service: string;
  /** From 0. */
  readonly instance: number;
  readonly command: readonly string[];
  /** A terminal instead of pipes. */
  readonly tty: boolean;
}

export interface ExecConnection {
  /** What the command writes; ends with it. With a terminal all of it is `stdout`. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }>;
  /** Rejects with ProviderConnectionError where the command's end is not known. Known once the output was read. */
  readonly exitCode: Promise<number>;
  /** Resolves when the bytes are on their way. */
  write(data: Uint8Array): Promise<void>;
  /** No more input. */
  end(): void;
  resize(columns: number, rows: number): void;
  /** Ends the command. */
  close(): void;
}

const handshakeMs = 30_000;
/** The longest command, as the URL holds it. */
export const maxExecPathChars = 2_048;

/** Runs a command. Needs the scope `exec`. @throws ProviderRefusal where it is not run, or ProviderConnectionError */
export async function openExec(at: ProviderAddress, options: ExecOptions): Promise<ExecConnection> {
  const path = pathOf(options);
  const socket = await connectProvider(at.hostUri, at);
  const { access } = options;
  const webSocket = new WebSocket(`ws://${new URL(at.hostUri).host}${path}`, {
    createConnection: () => socket,
    headers: signedHeaders(socket, { method: 'GET', path, access }),
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    handshakeTimeout: handshakeMs,
  });
  // Listens from the first byte on: output may come together with the upgrade.
  const connection = new Connection(webSocket, at.hostUri);
  try {
    await opened(webSocket, at);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return connection;
}

/** @throws ProviderConnectionError for a command that does not go into a URL */
function pathOf({ lease, service, instance, command, tty }: ExecOptions): string {
  const query = new URLSearchParams({ service, instance: String(instance), tty: String(tty) });
  for (const word of command) query.append('command', word);
  const path = `/v1/leases/${lease}/exec?${query}`;
  if (path.length <= maxExecPathChars) return path;
  throw new ProviderConnectionError(
    `the command is too long: ${path.length} characters as a URL, at most ${maxExecPathChars}; put it into a script`,
  );
}

function opened(webSocket: WebSocket, { hostUri }: ProviderAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  webSocket.once('open', resolve);
  webSocket.once('unexpected-response', (_request, response: IncomingMessage) => {
    readAll(response).then((said) => reject(refusal(response.statusCode ?? 0, said)), reject);
  });
  webSocket.on('error', (error) => reject(new ProviderConnectionError(`${hostUri}: ${error.message}`)));
  return promise;
}

interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** So much output waits here before the provider is held back. */
const maxWaitingChunks = 64;

class Connection implements ExecConnection {
  readonly output: AsyncIterable<Chunk>;
  readonly exitCode: Promise<number>;
  readonly #socket: WebSocket;
  readonly #chunks: Chunk[] = [];
  readonly #exit = Promise.withResolvers<number>();
  #wake: () => void = () => undefined;
  #isOver = false;

  constructor(socket: WebSocket, hostUri: string) {
    this.#socket = socket;
    this.exitCode = this.#exit.promise;
    // Whoever waits for it learns of it; nobody has to.
    this.exitCode.catch(() => undefined);
    this.output = this.#read();
    socket.on('message', (data: RawData) => this.#take(data, hostUri));
    socket.once('close', () => {
      this.#exit.reject(new ProviderConnectionError(`${hostUri}: the connection to the command went`));
      this.#isOver = true;
      this.#wake();
    });
  }

  async write(data: Uint8Array): Promise<void> {
    for (const frame of dataFrames('stdin', data)) await this.#send(frame);
  }

  end(): void {
    void this.#send(encodeFrame({ channel: 'stdin', data: new Uint8Array() }));
  }

  resize(columns: number, rows: number): void {
    void this.#send(encodeFrame({ channel: 'resize', columns, rows }));
  }

  close(): void {
    this.#socket.terminate();
  }

  #send(frame: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // A connection that has gone is told by the exit code.
    this.#socket.send(frame, { binary: true }, () => resolve());
    return promise;
  }

  #take(data: RawData, hostUri: string): void {
    const frame = Buffer.isBuffer(data) ? decodeFrame(data) : undefined;
    switch (frame?.channel) {
      case 'stdout':
      case 'stderr':
        this.#chunks.push({ stream: frame.channel, data: frame.data });
        if (this.#chunks.length >= maxWaitingChunks) this.#socket.pause();
        this.#wake();
        return;
      case 'exit':
        this.#exit.resolve(frame.code);
        return;
      case 'trouble':
        this.#exit.reject(new ProviderConnectionError(`${hostUri} has ended the command: ${frame.text}`));
        return;
      default:
        this.#exit.reject(new ProviderConnectionError(`${hostUri} answered in a form that is not known here`));
        this.#socket.terminate();
    }
  }

  async *#read(): AsyncGenerator<Chunk> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
        continue;
      }
      if (this.#isOver) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#socket.resume();
      await promise;
    }
  }
}
