/** The provider's own listener (design §6, Addresses): HTTPS with TLS 1.3, told apart by ALPN; plain clients are welcome too. */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { apiProtocol } from '@mu/client/provider/provider-tls';
import { createNonceSet } from '@mu/client/tenant/nonces';
import { listenAlone, listenAtPath } from '../network/listen.ts';
import { watchBody } from './body-watch.ts';
import { ApiError, toApiError } from './errors.ts';
import { type ExecContext, execSessionLimits, serveExec } from './exec-sessions.ts';
import { type ApiContext, answer, handle } from './handlers.ts';
import { findRoute, methodsOf } from './routes.ts';
import type { ApiSources } from './sources.ts';

/** What the API logs to; pino's loggers fit. */
export interface ApiLogger {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
}

/** Where it listens: an address, or a socket that only this user can open. */
export type ApiListen =
  | {
      readonly address: string;
      /** 0: any free one. */
      readonly port: number;
    }
  | {
      /** What is left there by a process that is gone is removed. */
      readonly path: string;
    };

export interface ApiServerOptions {
  readonly listen: ApiListen;
  readonly chainId: string;
  /** The provider's owner address. */
  readonly provider: string;
  readonly nodeId: string;
  /** From `tlsCredentials`. */
  readonly credentials: TlsCredentials;
  readonly sources: ApiSources;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** How often access keys of what streams are looked at; about two blocks where absent. */
  readonly recheckMs?: number;
  /** Commands end after so long without a byte; 15 minutes where absent. */
  readonly execIdleMs?: number;
  readonly logger: ApiLogger;
}

export interface TlsCredentials {
  readonly key: string;
  readonly cert: string;
}

const defaultRecheckMs = 10_000;
/** A refused body is read on for so long, so that the answer arrives before the connection breaks. */
const lingerMs = 5_000;
/** The headers of a request must have come by then. */
const headersTimeoutMs = 60_000;
const maxConnections = 1_024;
/** All connections that are left are cut so long after the close began, those too that have asked nothing yet. */
const closeGraceMs = 2_000;

export interface ApiServer {
  /** The port that is listened on; 0 for a socket of this machine. */
  readonly port: number;
  /** A renewed certificate, for connections from now on. */
  renew(credentials: TlsCredentials): void;
  /** Ends streams, lets the rest finish, and closes. */
  close(): Promise<void>;
}

/** Starts listening. @throws when the address is taken */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const closing = new AbortController();
  const { chainId, provider, nodeId, sources, now, logger } = options;
  const context: ApiContext & ExecContext = {
    ...{ chainId, provider, nodeId, sources, now },
    nonces: createNonceSet(),
    startedMs: now(),
    closing: closing.signal,
    recheckMs: options.recheckMs ?? defaultRecheckMs,
    execIdleMs: options.execIdleMs ?? execSessionLimits.idleMs,
    deliveries: new Map(),
    streams: new Map(),
    sessions: new Map(),
  };
  const tls = { minVersion: 'TLSv1.3', ALPNProtocols: [apiProtocol, 'http/1.1'] } as const;
  const server = createServer({ ...tls, ...options.credentials, requestTimeout: 0, headersTimeout: headersTimeoutMs });
  server.maxConnections = maxConnections;
  server.on('request', (request, response) => void serve(request, response, context, logger));
  server.on('upgrade', (request, socket, head) => void upgrade({ request, socket, head }, context, logger));
  server.on('tlsClientError', (error) => logger.info({ reason: error.message }, 'a TLS handshake failed'));
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return {
    port: await listenAt(server, options.listen),
    renew: (credentials) => server.setSecureContext({ ...tls, ...credentials }),
    close: () => close(server, closing, sockets),
  };
}

async function listenAt(server: Server, listen: ApiListen): Promise<number> {
  if ('path' in listen) {
    await listenAtPath(server, listen.path);
    return 0;
  }
  await listenAlone(server, { host: listen.address, port: listen.port });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server, closing: AbortController, sockets: ReadonlySet<Socket>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  closing.abort();
  server.close(() => resolve());
  server.closeIdleConnections();
  // Node's own list has neither what is still in its handshake nor what was upgraded.
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, closeGraceMs);
  await promise;
  clearTimeout(timer);
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  context: ApiContext,
  logger: ApiLogger,
): Promise<void> {
  const target = request.url ?? '';
  // A connection that breaks shows in the body's iteration; here it would end the process.
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  watchBody(request);
  try {
    const route = findRoute(request.method ?? '', target);
    await handle(route, request, response, context);
    logger.info({ method: request.method, path: pathOf(target), status: response.statusCode }, 'api request');
  } catch (error) {
    const refused = refusalOf(error, request, logger);
    refuse(request, response, refused, methodsOf(pathOf(target)));
  }
}

function refusalOf(error: unknown, { method, url = '' }: IncomingMessage, logger: ApiLogger): ApiError {
  const refused = toApiError(error);
  const facts = { method, path: pathOf(url), status: refused.status, code: refused.code };
  if (refused.code === 'internal') logger.warn({ ...facts, err: error }, 'api request failed');
  else logger.info({ ...facts, reason: refused.message }, 'api request refused');
  return refused;
}

/** Requests that ask for another protocol: node hands over their connection. */
async function upgrade(
  from: { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer },
  context: ExecContext,
  logger: ApiLogger,
): Promise<void> {
  const { request, socket } = from;
  socket.on('error', () => undefined);
  try {
    const route = findRoute(request.method ?? '', request.url ?? '');
    if (route.to !== 'exec') throw new ApiError('bad_request', 'nothing else than a command is run over a websocket');
    await serveExec(route, from, context);
    logger.info({ method: request.method, path: pathOf(request.url ?? ''), status: 101 }, 'api request');
  } catch (error) {
    const { status, code, message, hint } = refusalOf(error, request, logger);
    const body = `${JSON.stringify({ code, error: message, hint })}\n`;
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\nconnection: close\r\n`;
    // Node lets go of what it hands over: a client that never ends its side would stay for ever.
    const cut = setTimeout(() => socket.destroy(), lingerMs).unref();
    socket.once('close', () => clearTimeout(cut));
    socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => socket.destroy());
  }
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, message, hint }: ReturnType<typeof toApiError>,
  methods: readonly string[],
): void {
  if (response.headersSent) {
    // The answer had begun: only a broken connection can say that it is not whole.
    response.destroy();
    return;
  }
  if (code === 'method_not_allowed') response.setHeader('allow', methods.join(', '));
  if (!request.complete) {
    response.setHeader('connection', 'close');
    linger(request);
  }
  answer(response, { code, error: message, hint }, status);
}

/** Reads what still comes and drops it, for a while. */
function linger(request: IncomingMessage): void {
  if (request.destroyed) return;
  const timer = setTimeout(() => request.destroy(), lingerMs).unref();
  request.once('close', () => clearTimeout(timer));
  request.resume();
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}
