/**
 * The data plane's own process (design §7). It is started by the daemon and outlives it: what it serves goes on while the
 * daemon restarts. It ends when the daemon says so, at SIGTERM, when its folder is gone, or when no daemon has come for
 * long.
 */
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Gateway } from '../gateway/gateway.ts';
import { FileHostStore } from '../gateway/host-store.ts';
import { HostBook } from '../gateway/hosts.ts';
import { openSettings } from '../gateway/settings.ts';
import { dnsResolver } from '../gateway/txt-resolver.ts';
import { WasmDriver } from '../workloads/wasm-driver.ts';
import { countingOf, lossyLog } from './counting.ts';
import { DataPlane } from './data-plane.ts';
import { tunnelSurroundings } from './held-tunnel.ts';
import { HostListener } from './host-listener.ts';
import { KnownPairs } from './known-pairs.ts';
import { boundLog } from './log-bound.ts';
import { PlaneServer } from './plane-server.ts';
import { type PlaneSettings, planeFiles, settingsDigest } from './settings.ts';
import { Totals } from './totals.ts';

/** Totals are brought to the disk so often: a crash loses no more than that. */
const countEveryMs = 1_000;
/** Host names that are due are looked at so often. */
const hostsEveryMs = 10_000;
const boundLogEveryMs = 60_000;

/** Runs until it is asked to end. @param folder holds its settings @throws Error where it cannot serve */
export async function runDataPlane(folder: string): Promise<void> {
  const settings = JSON.parse(readFileSync(join(folder, planeFiles.settings), 'utf8')) as PlaneSettings;
  const ended = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ended.resolve());
  const totals = new Totals(join(folder, planeFiles.totals));
  // Workloads write before the link stands: the server keeps their lines.
  let server: PlaneServer | undefined;
  const log: PlaneServer['log'] = (workload, stream, line) => server?.log(workload, stream, line);
  const report = lossyLog('data-plane');
  const opened = openSettings(settings.gateway, report);
  const driver = await WasmDriver.create({
    maxInstances: settings.functions.maxInstances,
    log,
    logger: (line) => report.info(line),
  });
  const gateway = new Gateway({ ...opened.options, onLog: log });
  const known = new KnownPairs({ path: join(folder, planeFiles.known), now: Date.now });
  const plane = new DataPlane({
    ...{ driver, gateway, totals, ways: { upstreams: settings.resolvers } },
    tunnels: tunnelSurroundings({
      ...{ known, log: (line) => report.info(line) },
      allowPrivatePeers: settings.host.allowPrivatePeers,
    }),
    sandboxes: () => driver.processCount,
    hosts: {
      ...{ book: hostBookOf(settings, report), log },
      onTrouble: (error) => report.error({ reason: String(error) }, 'proofs of host names cannot be kept'),
    },
  });
  const at = await gateway.listen(settings.gateway.listen);
  const listener = await hostListenerOf(settings, plane);
  const greeting = { settings: settingsDigest(settings), gateway: at, host: listener.at };
  const path = join(folder, planeFiles.socket);
  server = new PlaneServer({ plane, path, greeting, onStop: async () => ended.resolve() });
  await server.listen();
  const count = countingOf(() => plane.count(), report);
  const remember = countingOf(() => known.flush(), report, 'the list of known tunnels');
  const watch = setInterval(() => {
    count();
    remember();
    if (!existsSync(path) || (server?.aloneMs() ?? 0) > settings.orphanMs) ended.resolve();
  }, countEveryMs);
  const hostWatch = setInterval(() => void plane.checkHosts(), hostsEveryMs);
  const logWatch = setInterval(() => {
    try {
      boundLog(join(folder, planeFiles.log));
    } catch (error) {
      report.error({ reason: String(error) }, 'the log cannot be bounded');
    }
  }, boundLogEveryMs);
  await ended.promise;
  clearInterval(logWatch);
  clearInterval(hostWatch);
  await gateway.drain();
  clearInterval(watch);
  plane.cutTunnels();
  await listener.close();
  count();
  remember();
  await server.close();
  await driver.close();
  await totals.close().catch((error: unknown) => report.error({ reason: String(error) }, 'the last usage is lost'));
  opened.close();
}

/** Before the link to the daemon ends: the next data plane listens at the same address. */
function hostListenerOf({ host }: PlaneSettings, plane: DataPlane): Promise<HostListener> {
  const { address, port, api, peer } = host;
  const tunnels = (socket: Socket): void => plane.takeTunnel(socket);
  return HostListener.listen({ listen: { host: address, port }, tunnels, api, peer });
}

function hostBookOf({ folder, hosts }: PlaneSettings, log: Logger) {
  const store = new FileHostStore(join(folder, planeFiles.hosts));
  const resolver = dnsResolver(hosts.nameServers);
  return (onChange: (deployment: string) => void) =>
    new HostBook({ store, resolver, now: Date.now, log, reserved: hosts.reserved, onChange });
}
