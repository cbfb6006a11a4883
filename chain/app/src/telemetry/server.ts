/** `/metrics` and `/health` over HTTP, on an address of their own: they are for the operator, not for the public. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from './health.ts';

export interface TelemetryOptions {
  /** `host:port`; port 0: any free one */
  readonly listen: string;
  readonly metrics: () => Promise<string>;
  readonly health: () => Health;
  readonly log: { error(fields: object, text: string): void };
}

export interface RunningTelemetry {
  /** `http://host:port` */
  readonly url: string;
  close(): Promise<void>;
}

const metricsType = 'text/plain; version=0.0.4; charset=utf-8';
const jsonType = 'application/json; charset=utf-8';
/** Nobody needs longer to send a request line. */
const requestTimeoutMs = 10_000;

/** @throws Error that names the address when it cannot be had */
export async function startTelemetry(options: TelemetryOptions): Promise<RunningTelemetry> {
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      options.log.error({ error: String(error) }, 'metrics could not be collected');
      send(response, 500, jsonType, JSON.stringify({ error: 'metrics could not be collected' }));
    });
  });
  await listen(server, options.listen);
  const { address, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(options: TelemetryOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.split('?')[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') send(response, 405, jsonType, '{"error":"only GET"}');
  else if (path === '/metrics') send(response, 200, metricsType, await options.metrics());
  else if (path === '/health') {
    const health = options.health();
    send(response, health.ok ? 200 : 503, jsonType, JSON.stringify(health));
  } else send(response, 404, jsonType, '{"error":"there are /metrics and /health"}');
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(`${body}\n`);
}

async function listen(server: Server, address: string): Promise<void> {
  const at = address.lastIndexOf(':');
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`telemetry.prometheus_laddr ${address}: ${error.message}`)));
    server.listen(Number(address.slice(at + 1)), address.slice(0, at), resolve);
  });
}
