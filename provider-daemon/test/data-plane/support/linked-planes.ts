/** Two data planes with real listeners, relays and TLS between them; time passes when a test says so. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DataPlane } from '../../../src/data-plane/data-plane.ts';
import { type TunnelSurroundings, tunnelSurroundings } from '../../../src/data-plane/held-tunnel.ts';
import { HostListener } from '../../../src/data-plane/host-listener.ts';
import type { ServedFacts, ServedTunnel } from '../../../src/data-plane/links.ts';
import type { ServedRelay } from '../../../src/data-plane/plane.ts';
import { Totals } from '../../../src/data-plane/totals.ts';
import { Gateway } from '../../../src/gateway/gateway.ts';
import type { AdmissionFacts } from '../../../src/overlay/admission.ts';
import type { TunnelCredentials, TunnelName } from '../../../src/overlay/certificates.ts';
import { tunnelLabel } from '../../../src/overlay/tls.ts';
import type { CallableWorkload, FunctionSpec, WorkloadDriver } from '../../../src/workloads/driver.ts';
import { NullDriver } from '../../../src/workloads/null-driver.ts';
import { ManualTimers } from '../../overlay/support/manual-timers.ts';
import { credentials, endOf, factsOf, makeProvider, type TestProvider } from '../../overlay/support/providers.ts';
import { instance, undo } from '../../overlay/support/sessions.ts';
import { counted } from '../../support/surroundings.ts';

export interface Node {
  readonly plane: DataPlane;
  readonly listener: HostListener;
  readonly log: string[];
  /** As when its process ends. */
  end(): Promise<void>;
}

export async function node(
  more: Partial<TunnelSurroundings>,
  port = 0,
  driver: WorkloadDriver<FunctionSpec, CallableWorkload> = new NullDriver(),
): Promise<Node> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-links-'));
  const totals = new Totals(join(folder, 'totals'));
  const log: string[] = [];
  const plane = new DataPlane({
    ...{ driver, gateway: new Gateway(), totals, ways: { upstreams: [] } },
    tunnels: tunnelSurroundings({ random: () => 1, allowPrivatePeers: true, log: (line) => log.push(line), ...more }),
  });
  const listener = await HostListener.listen({
    listen: { host: '127.0.0.1', port },
    tunnels: (socket: Socket) => plane.takeTunnel(socket),
    ...{ api: join(folder, 'api'), peer: join(folder, 'peer') },
  });
  let isEnded = false;
  const end = async (): Promise<void> => {
    if (isEnded) return;
    isEnded = true;
    for (const lease of await plane.served()) await plane.withdraw(lease);
    await listener.close();
    await totals.close();
    rmSync(folder, { recursive: true });
  };
  undo.push(end);
  return { plane, listener, log, end };
}

/** As the daemon tells them. */
export function servedFacts({ roots, node: of, leases }: AdmissionFacts): ServedFacts {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const heights = (one: { validFromHeight: bigint; validToHeight: bigint }) => ({
    validFromHeight: one.validFromHeight.toString(),
    validToHeight: one.validToHeight.toString(),
  });
  return {
    roots: roots.map((root) => ({ certificate: base64(root.certificate), ...heights(root) })),
    ...(of === undefined
      ? {}
      : { node: { publicKey: base64(of.publicKey), removedHeight: of.removedHeight.toString(), ...heights(of) } }),
    leases: leases.map((lease) => ({ ...lease, isRunning: true })),
  };
}

export interface Parties {
  readonly timers: ManualTimers;
  readonly web: TestProvider;
  readonly db: TestProvider;
  readonly ofWeb: TunnelCredentials;
  readonly ofDb: TunnelCredentials;
}

/** @param agedMs the certificates were issued so long ago */
export async function parties(timers = new ManualTimers(), agedMs = 0): Promise<Parties> {
  const around = counted(timers.now() - agedMs);
  const [web, db] = [await makeProvider('mu1web0000000000', around), await makeProvider('mu1db00000000000', around)];
  return {
    ...{ timers, web, db },
    ofWeb: await credentials(web, endOf(web, 'web'), around),
    ofDb: await credentials(db, endOf(db, 'db'), around),
  };
}

const served = ({ dseq, ...name }: TunnelName) => ({ ...name, dseq: dseq.toString() });

/** The tunnel as either end is told of it. */
export function tunnelsOf({ web, db, ofWeb, ofDb, timers }: Parties, port: number) {
  const [caller, callee] = [endOf(web, 'web'), endOf(db, 'db')];
  const common = { label: tunnelLabel({ connection: 'main', caller, callee }), connection: 'main', port };
  const atWeb: ServedTunnel = {
    ...{ ...common, role: 'caller', protocol: 'tcp', credentials: ofWeb },
    ...{ own: { infrastructure: 'web-infra', workload: 'web' }, peer: served(callee) },
    facts: servedFacts(factsOf(db, 'db', timers.now())),
  };
  const atDb: ServedTunnel = {
    ...{ ...common, role: 'callee', protocol: 'tcp', credentials: ofDb },
    ...{ own: { infrastructure: 'db-infra', workload: 'db' }, peer: served(caller) },
    facts: servedFacts(factsOf(web, 'web', timers.now())),
  };
  return { atWeb, atDb };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const farRelay = (port: number, protocol: 'tcp' | 'udp' = 'tcp'): ServedRelay => ({
  ...{ listen: { address: '127.0.0.1', port }, protocol, metered: false },
  to: { far: 'db/main', service: 'db', caller: 'web' },
});

export const leaseOf = (lease: string, relays: readonly ServedRelay[] = []) => ({
  ...{ lease, deployment: 'mu1owner00000000/7', functions: [], gateways: [], workloads: [], names: [] },
  relays,
});

/** `web` is served as lease 1, with a relay to the far `db`; `db` as lease 2, with an instance that gives back what it gets. */
export interface World extends Parties {
  readonly caller: Node;
  readonly callee: Node;
  readonly relayPort: number;
  readonly atWeb: ServedTunnel;
  readonly atDb: ServedTunnel;
}

export interface WorldOptions {
  readonly protocol?: 'tcp' | 'udp';
  /** Who knows where the other one listens; the caller alone unless told otherwise. */
  readonly dialer?: 'caller' | 'callee';
  readonly serve?: (socket: Socket) => void;
  /** The certificates were issued so long ago. */
  readonly agedMs?: number;
  /** Between the two of them. @param port of the one that is dialled @returns the port at which it is reached */
  readonly between?: (port: number) => Promise<number>;
  readonly caller?: Partial<TunnelSurroundings>;
  readonly callee?: Partial<TunnelSurroundings>;
}

export async function world(options: WorldOptions = {}): Promise<World> {
  const { protocol = 'tcp', dialer = 'caller', serve = (socket: Socket) => void socket.pipe(socket) } = options;
  const made = await parties(new ManualTimers(), options.agedMs);
  const { timers } = made;
  const [caller, callee] = [await node({ timers, ...options.caller }), await node({ timers, ...options.callee })];
  const port = protocol === 'tcp' ? await instance(serve) : await udpInstance();
  const relayPort = await freePort();
  const tunnels = tunnelsOf(made, port);
  const dialled = dialer === 'caller' ? callee : caller;
  const { port: own } = dialled.listener.at;
  const dial = { host: '127.0.0.1', port: (await options.between?.(own)) ?? own };
  const atWeb = { ...tunnels.atWeb, protocol, ...(dialer === 'caller' ? { dial } : {}) };
  const atDb = { ...tunnels.atDb, protocol, ...(dialer === 'callee' ? { dial } : {}) };
  await serveDb(callee, atDb, timers);
  await caller.plane.serve(leaseOf('1', [farRelay(relayPort, protocol)]));
  await caller.plane.view(viewOf(timers));
  await caller.plane.link('1', { tunnels: [atWeb], neighbours: [] });
  return { ...made, caller, callee, relayPort, atWeb, atDb };
}

/** Another provider's `db`, and the tunnel to it as `web` is told. @param at port of its instance, or what serves there */
export async function elsewhere(
  made: World,
  at: number | ((socket: Socket) => void),
): Promise<{ readonly next: Node; readonly atWeb: ServedTunnel }> {
  const around = counted(made.timers.now());
  const db = await makeProvider('mu1new0000000000', around);
  const ofDb = await credentials(db, endOf(db, 'db'), around);
  const { protocol } = made.atWeb;
  const { atWeb, atDb } = tunnelsOf({ ...made, db, ofDb }, typeof at === 'number' ? at : await instance(at));
  const next = await node({ timers: made.timers });
  await serveDb(next, { ...atDb, protocol }, made.timers);
  return { next, atWeb: { ...atWeb, protocol, dial: next.listener.at } };
}

export const viewOf = (timers: ManualTimers, height = 100) => ({
  height: String(height),
  verifiedAtMs: timers.now(),
});

export async function serveDb({ plane }: Node, atDb: ServedTunnel, timers: ManualTimers): Promise<void> {
  await plane.view(viewOf(timers));
  await plane.serve(leaseOf('2'));
  await plane.place('2', [{ service: 'db', instances: [{ address: '127.0.0.1', ready: true }] }]);
  await plane.link('2', { tunnels: [atDb], neighbours: [] });
}

/** Gives back what it gets, after these words. @returns its port */
export async function udpInstance(words = ''): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => socket.send([Buffer.from(words), bytes], from.port, from.address));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  undo.push(() => socket.close());
  return socket.address().port;
}

/** What comes back when this side has ended. */
export function ask(port: number, question: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.end(question);
  return text(socket);
}

/** @returns a connection that has been answered */
export async function talking(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.write('are you there?');
  await once(socket, 'data');
  return socket;
}

/** Whether it was reset, or has ended well. */
export function end(socket: Socket): Promise<'reset' | 'end'> {
  return new Promise((resolve) => {
    socket.once('close', (hadError) => resolve(hadError ? 'reset' : 'end'));
    if (socket.closed) resolve(socket.errored === null ? 'end' : 'reset');
  });
}
