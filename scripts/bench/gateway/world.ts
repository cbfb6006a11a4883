/** What the benches of the gateway run on: the data plane's own process, the container engine, a plain server beside. */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '@mu/provider-daemon/config/config';
import type { ServedFunction, ServedLease } from '@mu/provider-daemon/data-plane/plane';
import { planeSettings } from '@mu/provider-daemon/data-plane/settings';
import { PlaneSupervisor } from '@mu/provider-daemon/data-plane/supervisor';
import { type ContainerHost, Containers } from '@mu/provider-daemon/leases/container-host';
import type { ContainerSpec } from '@mu/provider-daemon/workloads/driver';
import { pino } from 'pino';
import { requestOf, type Target } from './load.ts';

const examples = join(import.meta.dirname, '..', '..', '..', 'examples');
export const loginModule = join(examples, 'login', 'build', 'simple_backend.wasm');
export const webImage = join(examples, 'shop', 'build', 'web.tar');

const mebibyte = 1 << 20;
export const loginBody = '{"name":"Ada"}';
/** Answered by the web container from a file. */
export const staticPage = '/health';
const plainBody = requestOf('POST', '/login', loginBody);

export interface World {
  readonly folder: string;
  readonly plane: PlaneSupervisor;
  readonly containers: ContainerHost;
  /** The plain server, asked as the function is. */
  readonly plain: Target;
  /** Where a path of a deployment is asked for. */
  target(label: string, method: string, path: string, body?: string): Target;
  stop(): Promise<void>;
}

/** @throws Error where no container engine answers */
export async function startWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-gateway-'));
  const config = parseConfig({
    file: join(folder, 'mu-provider.toml'),
    text: [
      '[chain]\nid = "mu-bench"',
      '[offer]\nregions = ["local"]\nservices = ["mu-function", "mu-gateway", "mu-workload"]',
      '[host]\naddress = "127.0.0.1"\nport = 0',
      '[gateway]\naddress = "127.0.0.1"\nport = 0\ndrain_s = 1',
    ].join('\n'),
  });
  const log = pino({ level: 'warn' }, pino.destination(2));
  const opened = await Containers.open({
    config,
    provider: `mubench${process.pid}`,
    onLog: () => {},
    onLeave: async () => {},
    log,
  });
  if (opened === undefined) throw new Error('the config of the bench offers no containers');
  const containers = opened.host();
  const plane = await PlaneSupervisor.start({ settings: planeSettings(config), onLog: () => {}, log });
  const child = fork(join(import.meta.dirname, 'plain-server.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const plain = { host: '127.0.0.1', port: await portOf(child), request: plainBody };
  return {
    ...{ folder, plane, containers, plain },
    target: (label, method, path, body) => ({
      ...{ host: '127.0.0.1', port: plane.gateway.port, request: requestOf(method, `/~${label}${path}`, body) },
    }),
    async stop() {
      child.kill();
      await plane.end();
      for (const name of await containers.driver.found()) await containers.driver.remove(name);
      await opened.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function portOf(child: ChildProcess): Promise<number> {
  const [port] = (await once(child, 'message')) as [number];
  return port;
}

export function functionOf(file: string, timeoutMs = 30_000): ServedFunction {
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  return { service: 'login', file, sha256, memoryBytes: 128 * mebibyte, timeoutMs, env: {} };
}

/** A lease with a function behind all its paths. */
export function functionLease(lease: number, served: ServedFunction): ServedLease {
  const routes = [{ path: '/...', methods: [], to: { kind: 'function', name: served.service } as const }];
  return {
    ...{
      lease: `${lease}`,
      deployment: `mu1bench/${lease}`,
      functions: [served],
      workloads: [],
      relays: [],
      names: [],
    },
    gateways: [{ label: `f${lease}`, service: 'gw', hosts: [], routes }],
  };
}

/** A lease whose container answers all its paths. */
export function containerLease(lease: number): ServedLease {
  const routes = [{ path: '/...', methods: [], to: { kind: 'workload', name: 'web', port: 8080 } as const }];
  return {
    ...{ lease: `${lease}`, deployment: `mu1bench/${lease}`, functions: [], workloads: [], relays: [], names: [] },
    gateways: [{ label: `c${lease}`, service: 'gw', hosts: [], routes }],
  };
}

/** The web server of examples/shop. @param cpu in thousandths of a core */
export function webSpec(lease: number, cpu: number): ContainerSpec {
  return {
    ...{ deployment: `${lease}`, service: 'web', cpu, memoryBytes: 32 * mebibyte, count: 1, env: {}, egress: 'none' },
    artifact: { kind: 'image', image: { from: 'archive', path: webImage, name: 'web.tar' } },
    ports: [{ port: 8080, protocol: 'tcp' }],
    volumes: [],
    health: { path: staticPage, port: 8080, intervalMs: 1_000 },
  };
}
