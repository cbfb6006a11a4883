/** The public door of a provider: HTTP requests to functions (design §6, §7). */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WorkloadLog } from '../workloads/driver.ts';
import { badRequest, type Refusal, refusals, refuse } from './answers.ts';
import { BodyBudget } from './body.ts';
import { type Exchange, serve } from './exchange.ts';
import { type GatewayService, PathError, RouteTable } from './routes.ts';
import { GatewayMeter, type GatewayUsage } from './usage.ts';

export interface GatewayOptions {
  /** Deployments are told apart by `<label>.<domain>`; without one only by the path prefix `/~<label>/`. */
  readonly domain?: string;
  /** Bytes of a request body at most; 10 MiB. */
  readonly bodyLimitBytes?: number;
  /** Bytes of all request bodies together at most; 256 MiB. */
  readonly bodyMemoryBytes?: number;
  /** Log lines of deployments: each request, and what went wrong in a function. */
  readonly onLog?: WorkloadLog;
}

const mebibyte = 1024 * 1024;
/** Of request line and headers together; more is answered 431. */
const maxHeaderBytes = 16 * 1024;
/** Time for a client to send its headers, and its whole request: a slow one must not hold a place for ever. */
const headersMs = 15_000;
const requestMs = 120_000;
const keepAliveMs = 65_000;

interface Deployment {
  service: GatewayService;
  table: RouteTable;
  readonly meter: GatewayMeter;
}

export class Gateway {
  readonly #server: Server;
  readonly #domain: string | undefined;
  readonly #bodyLimit: number;
  readonly #budget: BodyBudget;
  readonly #log: WorkloadLog;
  readonly #deployments = new Map<string, Deployment>();

  constructor(options: GatewayOptions = {}) {
    this.#domain = options.domain?.toLowerCase();
    this.#bodyLimit = options.bodyLimitBytes ?? 10 * mebibyte;
    this.#budget = new BodyBudget(options.bodyMemoryBytes ?? 256 * mebibyte);
    this.#log = options.onLog ?? (() => {});
    const settings = { maxHeaderSize: maxHeaderBytes, headersTimeout: headersMs, requestTimeout: requestMs };
    this.#server = createServer({ ...settings, keepAliveTimeout: keepAliveMs }, (request, response) => {
      this.#handle(request, response);
    });
    // A body that will be refused is refused before it is sent.
    this.#server.on('checkContinue', (request, response) => this.#handle(request, response));
  }

  /** Port 0 lets the system choose. The address that was bound. */
  async listen(at: { readonly host: string; readonly port: number }): Promise<{ host: string; port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(at.port, at.host, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Serves a deployment, or replaces what it serves; its counters go on. */
  setRoutes(label: string, service: GatewayService): void {
    const known = this.#deployments.get(label);
    const table = new RouteTable(service.routes);
    if (known === undefined) this.#deployments.set(label, { service, table, meter: new GatewayMeter() });
    else Object.assign(known, { service, table });
  }

  /** No longer serves a deployment; requests under way are finished. What `takeUsage` had not given yet. */
  remove(label: string): GatewayUsage {
    const usage = this.takeUsage(label);
    this.#deployments.delete(label);
    return usage;
  }

  labels(): string[] {
    return [...this.#deployments.keys()];
  }

  /** All since the first `setRoutes`; zeros for an unknown label. */
  usage(label: string): GatewayUsage {
    return this.#deployments.get(label)?.meter.total() ?? { requests: 0n, bytes: 0n };
  }

  /** What was used since the last call of this method for the label. */
  takeUsage(label: string): GatewayUsage {
    return this.#deployments.get(label)?.meter.take() ?? { requests: 0n, bytes: 0n };
  }

  /** Takes no more requests and ends the connections. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    // A client that goes away is no event of the gateway's: `close` follows and is what counts.
    request.on('error', () => {});
    response.on('error', () => {});
    const target = targetOf(request.url ?? '/');
    const found = this.#find(request.headers.host, target.path);
    if (found === undefined) {
      this.#decline(request, response, refusals.noDeployment);
      return;
    }
    const { deployment, path } = found;
    deployment.meter.addRequest();
    const exchange: Exchange = {
      request,
      response,
      path,
      query: target.query,
      service: deployment.service,
      table: deployment.table,
      meter: deployment.meter,
      bodyLimit: this.#bodyLimit,
      budget: this.#budget,
      log: this.#log,
    };
    serve(exchange).catch((error: unknown) => {
      if (error instanceof PathError && !response.headersSent) refuse(response, badRequest(error.message));
      else response.destroy(error as Error);
    });
  }

  #decline(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
    refuse(response, refusal);
    request.resume();
  }

  /** By host, else by the path's first segment, which is then taken off. */
  #find(host: string | undefined, path: string): { deployment: Deployment; path: string } | undefined {
    const byHost = this.#deployments.get(this.#labelOf(host) ?? '');
    if (byHost !== undefined) return { deployment: byHost, path };
    const prefix = /^\/~([a-z0-9]+)(?=\/|$)/.exec(path);
    const byPath = this.#deployments.get(prefix?.[1] ?? '');
    if (prefix === null || byPath === undefined) return undefined;
    const rest = path.slice(prefix[0].length);
    return { deployment: byPath, path: rest === '' ? '/' : rest };
  }

  #labelOf(host: string | undefined): string | undefined {
    if (this.#domain === undefined || host === undefined) return undefined;
    const name = host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '');
    const end = `.${this.#domain}`;
    return name.endsWith(end) ? name.slice(0, -end.length) : undefined;
  }
}

/** Path and query of a request's target; a proxy's absolute form loses its origin. */
function targetOf(url: string): { path: string; query: string } {
  const local = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = local.indexOf('?');
  const path = mark < 0 ? local : local.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? '' : local.slice(mark + 1) };
}
