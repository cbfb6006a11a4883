/** A gateway in front of workloads that run in the test's own process, and clients that send bytes as they are. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.ts';
import type { GatewayService } from '../../src/gateway/routes.ts';
import { wholeRoute } from '../../src/gateway/routes.ts';
import type { UpstreamInstance } from '../../src/gateway/upstreams.ts';

/** An instance of a workload: a server on a free port. */
export async function serveOn(listener: RequestListener, prepare?: (server: Server) => void): Promise<Server> {
  const server = createServer(listener);
  prepare?.(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Closes a server with its connections. */
export async function endOf(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

export const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

export function instanceOf(port: number, ready = true): UpstreamInstance {
  return { address: '127.0.0.1', port, ready };
}

/** A deployment that belongs whole to one workload. */
export function wholeService(deployment: string, instances: readonly UpstreamInstance[]): GatewayService {
  return {
    deployment,
    service: 'gw',
    routes: [wholeRoute('web', 80)],
    functions: new Map(),
    upstreams: new Map([['web', { instances }]]),
  };
}

export interface Stand {
  readonly gateway: Gateway;
  readonly port: number;
  /** Of the deployment `abc`. */
  readonly base: string;
  readonly lines: string[];
  /** Instances of `abc`; changed in place. */
  readonly instances: UpstreamInstance[];
  close(): Promise<void>;
}

/** A gateway with one deployment, `abc`, of one workload. */
export async function stand(listener: RequestListener, options: GatewayOptions = {}): Promise<Stand> {
  const lines: string[] = [];
  const server = await serveOn(listener);
  const gateway = new Gateway({ onLog: (_, stream, line) => void lines.push(`${stream}: ${line}`), ...options });
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const instances = [instanceOf(portOf(server))];
  gateway.setRoutes('abc', wholeService('7', instances));
  return {
    ...{ gateway, port, lines, instances },
    base: `http://127.0.0.1:${port}/~abc`,
    async close() {
      await gateway.close();
      await endOf(server);
    },
  };
}

/** Everything that comes on a connection until it ends. */
export function received(socket: Duplex): { readonly text: () => string; readonly ended: Promise<string> } {
  let text = '';
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  return { text: () => text, ended: new Promise((resolve) => socket.once('close', () => resolve(text))) };
}

/** Sends bytes as they are. @returns what comes back until the connection ends */
export async function raw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  return received(socket).ended;
}

/** Waits until a condition holds; the test's own time limit bounds it. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until a number has stood still for so long, above zero. */
export async function quiet(read: () => number, ms = 300): Promise<number> {
  let [last, since] = [read(), performance.now()];
  await until(() => {
    if (read() !== last || last === 0) [last, since] = [read(), performance.now()];
    return performance.now() - since >= ms;
  });
  return last;
}

/** A connection that stays open. */
export async function opened(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}
