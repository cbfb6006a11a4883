/** Two sessions over a pair of streams, and instances on 127.0.0.1 behind the callee. */
import { createServer, type Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { InstanceRoute } from '../../../src/network/instance-route.ts';
import { Session } from '../../../src/overlay/session.ts';
import type { SessionEnd, SessionLimits } from '../../../src/overlay/session-options.ts';
import { eventually } from '../../network/support/eventually.ts';
import { ManualTimers } from './manual-timers.ts';

export interface TestSession {
  readonly session: Session;
  readonly socket: Duplex;
  readonly ends: SessionEnd[];
  goingAway: number;
}

export interface Sessions {
  readonly caller: TestSession;
  readonly callee: TestSession;
  readonly timers: ManualTimers;
}

/** What is to be undone after a test. */
export const undo: Array<() => unknown> = [];
export async function undoAll(): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step();
}

/** @returns its port */
export async function instance(serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  undo.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as { port: number }).port;
}

export function sessionOver(
  socket: Duplex,
  role: 'caller' | 'callee',
  given: { timers: ManualTimers; route?: InstanceRoute; limits?: Partial<SessionLimits> },
): TestSession {
  const { timers, route, limits = {} } = given;
  const made: Omit<TestSession, 'session'> = { socket, ends: [], goingAway: 0 };
  const session = new Session({
    ...{ socket, role, timers, limits },
    ...(route === undefined ? {} : { streams: route, datagrams: route }),
    events: {
      closed: (end) => made.ends.push(end),
      goingAway: () => {
        made.goingAway += 1;
      },
    },
  });
  undo.push(() => session.cut(0, 'the test is over'));
  return Object.assign(made, { session });
}

/** A caller whose streams lead to the port; both have said hello. */
export async function sessions(port: number | undefined, limits: Partial<SessionLimits> = {}): Promise<Sessions> {
  const timers = new ManualTimers();
  const [near, far] = duplexPair();
  const route = new InstanceRoute(port === undefined ? [] : [{ address: '127.0.0.1', port }], 2000);
  const caller = sessionOver(near, 'caller', { timers, limits });
  const callee = sessionOver(far, 'callee', { timers, route, limits });
  await eventually('both hellos', () => caller.session.isUp && callee.session.isUp);
  return { caller, callee, timers };
}
