/** Where clients come in: connections, plain or in TLS, and the versions of HTTP that are spoken on them. */

import { createServer, type Server as HttpServer, type IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, createServer as createNetServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type SecureContext, type TLSSocket } from 'node:tls';
import { listenAlone } from '../network/listen.ts';
import { refusalBytes, refusals } from './answers.ts';
import type { Call } from './call.ts';
import { type CertificateSource, minVersion } from './certificates.ts';
import type { Connection, Connections } from './connections.ts';
import { Http1Call } from './http1-call.ts';
import { Http2Call } from './http2-call.ts';
import type { GatewayLimits } from './limits.ts';

/** What a client sends who asks to go on as a websocket. */
export interface UpgradeRequest {
  readonly socket: Duplex;
  readonly head: Buffer;
}

export interface DoorOptions {
  readonly limits: GatewayLimits;
  readonly connections: Connections;
  readonly onCall: (call: Call, upgrade?: UpgradeRequest) => void;
}

/** Frames without a meaning, or streams refused, of one session of HTTP/2; more end it. */
const http2Nonsense = 100;
/** Bytes that a client may send ahead on a stream of HTTP/2, before they are read. */
const http2Window = 256 * 1024;

export class Door {
  readonly #options: DoorOptions;
  readonly #http1: HttpServer;
  readonly #http2: Http2Server;
  readonly #listening: Server[] = [];
  /** The last request of a connection of HTTP/1.1. */
  readonly #latest = new WeakMap<Socket, Call>();
  #opening: Connection | undefined;
  /** By both addresses of the socket below: TLS stands on top of a connection that was admitted before. */
  readonly #handshakes = new Map<string, Connection>();

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#http1 = this.#createHttp1();
    this.#http2 = this.#createHttp2();
  }

  /** Takes plain connections. The port that was bound. */
  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    const server = createNetServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      if (this.#options.connections.admit(socket) !== undefined) this.#http1.emit('connection', socket);
    });
    return this.#bind(server, host, port);
  }

  /** Takes connections in TLS 1.2 and 1.3. */
  listenSecure(certificates: CertificateSource, host: string, port: number): Promise<{ host: string; port: number }> {
    const { limits, connections } = this.#options;
    // Half of a TLS connection cannot stay open: node tells nothing of its end then.
    const server = createTlsServer({
      noDelay: true,
      minVersion,
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: limits.handshakeMs,
      SNICallback: (name, done) => choose(certificates, name, done),
    });
    server.prependListener('connection', (socket: Socket) => {
      const connection = connections.admit(socket);
      const key = socketKey(socket);
      if (connection === undefined) return;
      this.#handshakes.set(key, connection);
      socket.once('close', () => this.#handshakes.delete(key));
    });
    server.on('tlsClientError', (_, socket) => socket.destroy());
    server.on('secureConnection', (socket) => this.#secured(socket));
    // For clients that name no host.
    const useFallback = () => {
      const pem = certificates.fallback();
      if (pem !== undefined) server.setSecureContext({ ...pem, minVersion });
    };
    useFallback();
    certificates.onChange(useFallback);
    return this.#bind(server, host, port);
  }

  /** Takes no more connections; those that are there stay. */
  async stopListening(): Promise<void> {
    await Promise.all(this.#listening.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  }

  #secured(socket: TLSSocket): void {
    const key = socketKey(socket);
    const connection = this.#handshakes.get(key);
    this.#handshakes.delete(key);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    this.#options.connections.secured(connection, socket);
    // The session is made within this call, and shows its socket through a proxy only.
    this.#opening = connection;
    if (socket.alpnProtocol === 'h2') this.#http2.emit('connection', socket);
    else this.#http1.emit('connection', socket);
  }

  #createHttp1(): HttpServer {
    const { limits } = this.#options;
    const server = createServer({
      maxHeaderSize: limits.headerBytes,
      keepAliveTimeout: limits.keepAliveMs,
      // Both are held by `Connections` and `ActiveCalls`: node's would end a long upload that goes well.
      headersTimeout: 0,
      requestTimeout: 0,
      insecureHTTPParser: false,
      shouldUpgradeCallback: asksForWebsocket,
    });
    // Node drops what is above its limit without a word; here it is refused.
    server.maxHeadersCount = 0;
    const take = (request: IncomingMessage, response: ServerResponse) => {
      this.#take(new Http1Call(request, response, limits.discardMs), request.socket);
    };
    server.on('request', take);
    // Whether a body is wanted is said once its headers have been looked at.
    server.on('checkContinue', take);
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    server.on('connect', (_, socket: Socket) => endWith(socket, 400, 'Bad Request'));
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#notHttp(error, socket));
    return server;
  }

  #createHttp2(): Http2Server {
    const { limits } = this.#options;
    const server = createHttp2Server({
      maxSessionInvalidFrames: http2Nonsense,
      maxSessionRejectedStreams: http2Nonsense,
      maxHeaderListPairs: limits.headerFields,
      settings: {
        enablePush: false,
        maxConcurrentStreams: limits.callsPerConnection,
        maxHeaderListSize: limits.headerBytes,
        initialWindowSize: http2Window,
      },
    });
    server.on('sessionError', () => {});
    server.on('session', (session: ServerHttp2Session) => {
      const connection = this.#opening;
      if (connection === undefined) return session.destroy();
      connection.leave = () => session.close();
      session.on('stream', (stream, headers, flags, rawHeaders) => {
        const call = new Http2Call({ stream, headers, flags, rawHeaders: rawHeaders as unknown as string[] });
        this.#begin(call, connection);
      });
    });
    return server;
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => {});
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    // Where the answer is none of websockets, the connection ends with it.
    response.once('finish', () => {
      response.detachSocket(socket);
      socket.end();
      response.emit('close');
    });
    const call = new Http1Call(request, response, 0);
    call.last = true;
    if (asksForWebsocket(request) && !call.hasBody) this.#take(call, socket, { socket, head });
    // Another protocol may be ignored (RFC 9110 7.8); a body behind such a request cannot be read any more.
    else if (call.hasBody) endWith(socket, 400, 'Bad Request');
    else this.#take(call, socket);
  }

  #take(call: Http1Call, socket: Socket, upgrade?: UpgradeRequest): void {
    const connection = this.#options.connections.of(socket);
    if (connection === undefined) call.cut();
    else {
      this.#latest.set(socket, call);
      this.#begin(call, connection, upgrade);
    }
  }

  #begin(call: Call, connection: Connection, upgrade?: UpgradeRequest): void {
    const { connections, onCall } = this.#options;
    const isAllowed = connections.begin(connection);
    call.onClose(() => connections.end(connection));
    if (isAllowed) onCall(call, upgrade);
    else call.cut();
  }

  /** What node's parser refuses: the client is told where nothing was sent yet, and the connection ends. */
  #notHttp(error: NodeJS.ErrnoException, socket: Socket): void {
    const calls = this.#options.connections.of(socket)?.calls ?? 0;
    const latest = this.#latest.get(socket);
    // Behind an answer that has begun, or before another that is still to come, nothing can be said.
    const isFirst = calls === 0 || (calls === 1 && latest?.status === 0);
    // Refused already, for what its headers said: the refusal is on its way.
    const isRefused = calls === 1 && latest?.last === true && latest.status >= 400;
    if (isRefused) setImmediate(() => socket.destroySoon());
    else if (!socket.writable || !isFirst) socket.destroy();
    else if (error.code === 'HPE_HEADER_OVERFLOW') endWith(socket, 431, 'Request Header Fields Too Large');
    else if (error.code === 'ECONNRESET') socket.destroy();
    else endWith(socket, 400, 'Bad Request');
  }

  async #bind(server: Server, host: string, port: number): Promise<{ host: string; port: number }> {
    await listenAlone(server, { host, port });
    this.#listening.push(server);
    const bound = server.address() as AddressInfo;
    return { host: bound.address, port: bound.port };
  }
}

function choose(
  certificates: CertificateSource,
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
): void {
  const context = certificates.contextFor(name.toLowerCase());
  if (context === undefined) done(new Error('no certificate for this name'));
  else done(null, context);
}

function asksForWebsocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

function socketKey({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** Answers a connection on which no request could be read, and ends it. */
function endWith(socket: Socket, status: 400 | 431, reason: string): void {
  const refusal = status === 431 ? refusals.tooManyFields : refusals.notHttp;
  socket.end(refusalBytes(refusal, reason));
  socket.destroySoon();
}
