/**
 * One end of a tunnel, in a process of its own, as two data planes are: the callee takes TLS and leads to the server's
 * ports, the caller listens for workloads.
 */
import type { Server, Socket } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { InstanceRoute } from '../../../provider-daemon/src/network/instance-route.ts';
import { listenTcp } from '../../../provider-daemon/src/network/relay.ts';
import { Session } from '../../../provider-daemon/src/overlay/session.ts';
import { realTimers } from '../../../provider-daemon/src/overlay/timers.ts';
import { listening } from './ports.ts';

export interface EndSettings {
  readonly role: 'caller' | 'callee';
  /** Of the other end, for the caller; of the server, for the callee. */
  readonly port: number;
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as EndSettings;
const { role, port, key, cert, ca } = settings;
const tls = { key, cert, ca, minVersion: 'TLSv1.3', ALPNProtocols: ['mu-tunnel/1'] } as const;

async function callee(): Promise<number> {
  const streams = new InstanceRoute([{ address: '127.0.0.1', port }]);
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true, noDelay: true }, (socket) => {
    new Session({ socket, role: 'callee', streams, timers: realTimers });
  });
  return listening(server as unknown as Server);
}

async function caller(): Promise<number> {
  const socket: TLSSocket = connect({ ...tls, host: '127.0.0.1', port, checkServerIdentity: () => undefined });
  (socket as Socket).setNoDelay(true);
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const session = await new Promise<Session>((resolve) => {
    const made: Session = new Session({ socket, role, timers: realTimers, events: { up: () => resolve(made) } });
  });
  const relay = await listenTcp({ listen: { address: '127.0.0.1', port: 0 }, route: session });
  return relay.port;
}

process.send?.(await (role === 'caller' ? caller() : callee()));
process.once('disconnect', () => process.exit(0));
