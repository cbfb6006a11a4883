/**
 * Commands of tenants in their containers, over a websocket. Refusals are plain HTTP answers before the upgrade; after it
 * a session ends with the command, its reader, its idle time, the delegation, the lease, or the server.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { dataFrames, decodeFrame, encodeFrame, maxFrameBytes } from '@mu/client/provider/exec-frames';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { type ExecSession, WorkloadError } from '../workloads/driver.ts';
import { type AccessContext, accessSignal, leaseAccess } from './access.ts';
import { ApiError } from './errors.ts';
import type { ExecRoute } from './routes.ts';
import type { ApiSources } from './sources.ts';

export const execSessionLimits = {
  perLease: 8,
  /** Without a byte in either direction. */
  idleMs: 15 * 60_000,
  /** A reader whose machine is gone is noticed after at most twice this. */
  pingMs: 30_000,
  /** For the reader's goodbye. */
  closeMs: 2_000,
} as const;

export interface ExecContext extends AccessContext {
  readonly sources: Pick<ApiSources, 'facts' | 'status' | 'inside'>;
  /** Sessions that are open or about to be, by lease; a count that is kept here. */
  readonly sessions: Map<bigint, number>;
  readonly execIdleMs: number;
}

const upgrader = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes, perMessageDeflate: false });

/** @throws ApiError or TenantError as long as nothing was answered */
export async function serveExec(
  route: ExecRoute,
  { request, socket, head }: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
  context: ExecContext,
): Promise<void> {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new ApiError('upgrade_required', 'a command is run over a websocket');
  }
  const { lease, service, instance, command, tty } = route;
  const access = await leaseAccess(lease, 'exec', request, context);
  if (!access.fact.live) throw new ApiError('cannot_exec', `lease ${lease} is over`);
  const open = context.sessions.get(lease) ?? 0;
  if (open >= execSessionLimits.perLease) {
    throw new ApiError('busy', `${execSessionLimits.perLease} commands run for lease ${lease} already`);
  }
  context.sessions.set(lease, open + 1);
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  if (socket.destroyed) gone.abort();
  try {
    const signal = accessSignal(access, gone.signal, context);
    const session = await startOf(context.sources.inside.exec(lease, service, { instance, command, tty }));
    try {
      if (signal.aborted) return;
      const webSocket = await upgraded(request, socket, head);
      await new Carrier(webSocket, session, context.execIdleMs).run(signal);
    } finally {
      session.close();
    }
  } finally {
    gone.abort();
    const left = (context.sessions.get(lease) ?? 1) - 1;
    if (left === 0) context.sessions.delete(lease);
    else context.sessions.set(lease, left);
  }
}

async function startOf(starting: Promise<ExecSession>): Promise<ExecSession> {
  try {
    return await starting;
  } catch (error) {
    if (!(error instanceof WorkloadError)) throw new ApiError('unavailable', 'the command could not be started');
    if (error.reason === 'busy') throw new ApiError('busy', error.message);
    if (error.reason === 'failed') throw new ApiError('unavailable', error.message);
    throw new ApiError('cannot_exec', error.message);
  }
}

function upgraded(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const refused = (): void => reject(new Error('the connection went before the upgrade'));
  socket.once('close', refused);
  upgrader.handleUpgrade(request, socket, head, (webSocket) => {
    socket.off('close', refused);
    resolve(webSocket);
  });
  return promise;
}

/** Carries bytes between a websocket and a command, each side no faster than the other takes them. */
class Carrier {
  readonly #socket: WebSocket;
  readonly #session: ExecSession;
  readonly #idleMs: number;
  #idle: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isAnswering = true;
  #isPaused = false;

  constructor(socket: WebSocket, session: ExecSession, idleMs: number) {
    this.#socket = socket;
    this.#session = session;
    this.#idleMs = idleMs;
  }

  /** Until the command has ended and its exit code is told, or something else ends it. */
  async run(signal: AbortSignal): Promise<void> {
    const socket = this.#socket;
    const closed = new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.on('message', (data: RawData, isBinary: boolean) => this.#take(data, isBinary));
    socket.on('pong', () => {
      this.#isAnswering = true;
    });
    const pinging = setInterval(() => this.#ping(), execSessionLimits.pingMs).unref();
    const stop = (): void => this.#end('the delegation, the lease or the provider’s daemon has ended');
    signal.addEventListener('abort', stop, { once: true });
    this.#touch();
    try {
      await Promise.race([closed, this.#output()]);
    } finally {
      clearInterval(pinging);
      clearTimeout(this.#idle);
      signal.removeEventListener('abort', stop);
      socket.close();
      const cut = setTimeout(() => socket.terminate(), execSessionLimits.closeMs);
      void closed.then(() => clearTimeout(cut));
    }
  }

  async #output(): Promise<void> {
    try {
      for await (const { stream, chunk } of this.#session.output) {
        this.#touch();
        for (const frame of dataFrames(stream, chunk)) await this.#send(frame);
      }
      await this.#send(encodeFrame({ channel: 'exit', code: await this.#session.exitCode }));
    } catch (error) {
      this.#end(error instanceof WorkloadError ? error.message : 'the command cannot be followed any more');
    }
  }

  #take(data: RawData, isBinary: boolean): void {
    const frame = isBinary && Buffer.isBuffer(data) ? decodeFrame(data) : undefined;
    if (frame === undefined || (frame.channel !== 'stdin' && frame.channel !== 'resize')) {
      this.#end('what came is no frame of a command');
      return;
    }
    this.#touch();
    // The next message waits until the command has taken this one.
    this.#socket.pause();
    this.#isPaused = true;
    this.#turn = this.#turn
      .then(() => this.#give(frame))
      // Input for a command that has ended, or a size that is none: no reason to end what goes on.
      .catch(() => undefined)
      .finally(() => {
        this.#isPaused = false;
        this.#socket.resume();
      });
  }

  async #give(frame: Exclude<ReturnType<typeof decodeFrame>, undefined>): Promise<void> {
    if (frame.channel === 'resize') await this.#session.resize(frame.columns, frame.rows);
    else if (frame.channel === 'stdin' && frame.data.length === 0) this.#session.end();
    else if (frame.channel === 'stdin') await this.#session.write(frame.data);
  }

  /** Resolves when the bytes are on their way, so that a slow reader slows the command. */
  #send(frame: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.send(frame, { binary: true }, () => resolve());
    return promise;
  }

  #end(text: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) void this.#send(encodeFrame({ channel: 'trouble', text }));
    this.#socket.close();
    this.#session.close();
  }

  #touch(): void {
    clearTimeout(this.#idle);
    const idle = (): void => this.#end(`nothing came or went for ${Math.round(this.#idleMs / 1000)} s`);
    this.#idle = setTimeout(idle, this.#idleMs).unref();
  }

  #ping(): void {
    // While input waits for the command, nothing is read, a pong neither.
    if (this.#isPaused) return;
    if (!this.#isAnswering) {
      this.#socket.terminate();
      return;
    }
    this.#isAnswering = false;
    this.#socket.ping();
  }
}
