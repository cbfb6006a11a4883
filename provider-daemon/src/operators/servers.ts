/**
 * The daemon's two doors for operators: a Unix socket in its data folder for the commands of `mu-provider`, and, where the
 * config says so, an address for Prometheus and health checks.
 */

import { chmodSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '@mu/lib/error-message';
import type { Logger } from 'pino';
import { setDraining } from './drain.ts';
import { health, isReady } from './health.ts';
import { type Answer, closeServer, jsonAnswer, listenAt, operatorServer, type Routes } from './http.ts';
import { leaseReports } from './lease-report.ts';
import { ProviderMetrics } from './metrics.ts';
import type { OperatorSources } from './sources.ts';
import { healthInput, inventoryView, statusReport } from './view.ts';

/** Commands find the daemon here. */
export function adminSocket(dataFolder: string): string {
  return join(dataFolder, 'admin.sock');
}

export interface OperatorServers {
  /** `http://host:port`; undefined where metrics.port is 0 */
  readonly metricsUrl: string | undefined;
  close(): Promise<void>;
}

/** @throws Error that names the address which cannot be had */
export async function startOperatorServers(sources: OperatorSources, log: Logger): Promise<OperatorServers> {
  const metrics = new ProviderMetrics(sources);
  const onFailure = (path: string, error: unknown): void =>
    log.error({ path, err: error }, 'an operator’s question could not be answered');
  const admin = operatorServer({ ...publicRoutes(sources, metrics), ...adminRoutes(sources, log) }, onFailure);
  await listenAtSocket(admin, adminSocket(sources.config.node.dataFolder));
  const { address, port } = sources.config.metrics;
  const open = port === 0 ? undefined : operatorServer(publicRoutes(sources, metrics), onFailure);
  try {
    if (open !== undefined) await listenAt(open, { host: address, port });
  } catch (error) {
    await closeServer(admin);
    const reason = messageOf(error);
    throw new Error(`metrics: ${reason}; choose another metrics.port, or 0 for none`);
  }
  return {
    metricsUrl: open && urlOf(open),
    async close() {
      await closeServer(admin);
      if (open !== undefined) await closeServer(open);
    },
  };
}

/** What nobody minds to be seen within the operator's network. */
function publicRoutes(sources: OperatorSources, metrics: ProviderMetrics): Routes {
  return {
    'GET /metrics': async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
    'GET /health': () => {
      const found = health(healthInput(sources));
      return jsonAnswer(found, found.ok ? 200 : 503);
    },
    'GET /ready': () => {
      const ready = isReady(healthInput(sources));
      return jsonAnswer({ ready }, ready ? 200 : 503);
    },
  };
}

function adminRoutes(sources: OperatorSources, log: Logger): Routes {
  const drain = (draining: boolean) => (): Answer => {
    setDraining(sources.config.node.dataFolder, draining);
    log.info({ draining }, draining ? 'no new leases are wanted' : 'new leases are wanted again');
    return jsonAnswer({ draining: sources.isDraining() });
  };
  return {
    'GET /status': () => jsonAnswer(statusReport(sources)),
    'GET /leases': async () => jsonAnswer({ leases: await leaseReports(sources) }),
    'GET /inventory': async () => jsonAnswer(await inventoryView(sources)),
    'POST /drain': drain(true),
    'POST /undrain': drain(false),
  };
}

/** What a killed daemon has left at the path is removed: whoever comes here has made sure that none runs. */
async function listenAtSocket(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  await listenAt(server, { path });
  // The folder keeps others out already; this is the second lock.
  chmodSync(path, 0o600);
}

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}
