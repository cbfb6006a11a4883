/** The CometBFT RPC of an engine: JSON-RPC by POST, methods by GET, the websocket, one port. */

import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { WebSocketServer } from 'ws';
import type { EngineLog, SoloEngine } from '../engine/solo-engine.ts';
import { answerBody, answerUri, type HttpAnswer } from './calls.ts';
import { errorText, RpcError, uriId } from './jsonrpc.ts';
import type { RpcContext } from './method.ts';
import { methods } from './methods.ts';
import { Connection, defaultSubscriptionLimits, type SubscriptionLimits } from './websocket.ts';

/** CometBFT's limits, in bytes and connections. */
const maxBodyBytes = 1_000_000;
const maxConnections = 900;
const commitTimeoutMs = 10_000;
const dayInSeconds = 86_400;

export interface RpcOptions {
  engine: SoloEngine;
  /** `tcp://host:port` or `host:port`; port 0 takes a free one. */
  listen: string;
  /** Of `node_key.json`: 40 hex digits. */
  nodeId?: string;
  moniker?: string;
  /** Origins of web pages that may read answers; `*` for all. None by default. */
  corsAllowedOrigins?: readonly string[];
  /** How long broadcast_tx_commit waits. */
  commitTimeoutMs?: number;
  subscriptions?: Partial<SubscriptionLimits>;
  log?: EngineLog;
}

export interface RunningRpc {
  /** `http://host:port`, as it is reached from this machine. */
  url: string;
  host: string;
  port: number;
  /** Ends all connections. Call it before the engine stops. */
  close(): Promise<void>;
}

/** Host and port of a listening address. @throws Error for anything but TCP */
export function parseListenAddress(listen: string): { host: string; port: number } {
  const match = /^(?:tcp:\/\/)?(?:\[([^\]]+)\]|([^:/]*)):(\d{1,5})$/.exec(listen);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new Error(`invalid listening address ${listen}: write tcp://host:port, port 0 for a free one`);
  }
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

/** Listens and answers until it is closed. @throws Error when the address is taken or invalid */
export async function startRpc(options: RpcOptions): Promise<RunningRpc> {
  const { host, port } = parseListenAddress(options.listen);
  let rpcAddress = `tcp://${options.listen.replace(/^tcp:\/\//, '')}`;
  const context: RpcContext = {
    engine: options.engine,
    nodeId: options.nodeId ?? '0'.repeat(40),
    moniker: options.moniker ?? 'mu',
    rpcAddress: () => rpcAddress,
    commitTimeoutMs: options.commitTimeoutMs ?? commitTimeoutMs,
  };
  const server = fastify({
    bodyLimit: maxBodyBytes,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: false },
  });
  server.server.maxConnections = maxConnections;
  addRoutes(server, context, options.corsAllowedOrigins ?? []);
  const sockets = addWebsocket(server, context, { ...defaultSubscriptionLimits, ...options.subscriptions });
  await server.listen({ host, port });
  const bound = server.server.address() as AddressInfo;
  rpcAddress = `tcp://${bracketed(host)}:${bound.port}`;
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${bracketed(reachable)}:${bound.port}`;
  options.log?.info({ url }, 'RPC is listening');
  return {
    url,
    host,
    port: bound.port,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      await server.close();
    },
  };
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function addRoutes(server: FastifyInstance, context: RpcContext, origins: readonly string[]): void {
  // CometBFT looks at no content type: a body is JSON or an error.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_, body, done) => done(null, body));
  server.addHook('onRequest', async ({ headers, method }, reply) => {
    reply.header('X-Server-Time', Math.floor(Date.now() / 1000).toString());
    if (origins.length === 0) return;
    allowOrigin(reply, headers.origin, origins);
    if (method === 'OPTIONS') reply.code(204).send();
  });
  server.post('/', async ({ body }, reply) => {
    const text = typeof body === 'string' ? body : '';
    return text === '' ? listMethods(reply) : send(reply, await answerBody(context, text));
  });
  server.get('/', async (_, reply) => listMethods(reply));
  const byUri = async (url: string, reply: FastifyReply): Promise<FastifyReply> => {
    const { pathname, searchParams } = new URL(url, 'http://rpc');
    const answer = await answerUri(context, pathname.slice(1), searchParams);
    return answer === undefined ? notFound(reply, pathname) : send(reply, answer);
  };
  server.get('/*', ({ url }, reply) => byUri(url, reply));
  server.post('/*', ({ url }, reply) => byUri(url, reply));
  server.setNotFoundHandler((_, reply) => notFound(reply, ''));
  server.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _, reply) => {
    const isTooLarge = error.code === 'FST_ERR_CTP_BODY_TOO_LARGE';
    const text = `error reading request body: ${isTooLarge ? 'http: request body too large' : error.message}`;
    const refusal = RpcError.invalidRequest(text);
    return send(reply, {
      status: error.statusCode === undefined ? 500 : 400,
      text: errorText(undefined, refusal),
      isCacheable: false,
    });
  });
}

function allowOrigin(reply: FastifyReply, origin: string | undefined, origins: readonly string[]): void {
  reply.header('Vary', 'Origin');
  if (origin === undefined || !(origins.includes('*') || origins.includes(origin))) return;
  reply.header('Access-Control-Allow-Origin', origins.includes('*') ? '*' : origin);
  reply.header('Access-Control-Allow-Methods', 'HEAD, GET, POST');
  reply.header('Access-Control-Allow-Headers', 'Origin, Accept, Content-Type, X-Requested-With, X-Server-Time');
}

function send(reply: FastifyReply, { status, text, isCacheable }: HttpAnswer): FastifyReply {
  if (isCacheable) reply.header('Cache-Control', `public, max-age=${dayInSeconds}`);
  return reply.code(status).type('application/json').send(text);
}

/** Methods that only the websocket has say so; anything else is not found. */
function notFound(reply: FastifyReply, path: string): FastifyReply {
  if (['/subscribe', '/unsubscribe', '/unsubscribe_all'].includes(path)) {
    const text = errorText(uriId, RpcError.methodNotFound());
    return send(reply, { status: 404, text, isCacheable: false });
  }
  return reply.code(404).type('text/plain; charset=utf-8').send('404 page not found\n');
}

/** What a browser sees at `/`. */
function listMethods(reply: FastifyReply): FastifyReply {
  const links = Object.entries(methods).map(([name, { params }]) => {
    const names = Object.keys(params);
    const link = names.length === 0 ? name : `${name}?${names.map((param) => `${param}=_`).join('&')}`;
    return `<a href="/${link}">/${link}</a></br>`;
  });
  return reply.type('text/html').send(`<html><body><br>Available endpoints:<br>${links.sort().join('')}</body></html>`);
}

function addWebsocket(server: FastifyInstance, context: RpcContext, limits: SubscriptionLimits): WebSocketServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxBodyBytes, perMessageDeflate: false });
  let count = 0;
  server.server.on('upgrade', (request, socket, head) => {
    if (new URL(request.url ?? '/', 'http://rpc').pathname !== '/websocket') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      count += 1;
      new Connection(accepted, context, limits, `websocket-${count}`);
    });
  });
  return sockets;
}
