/** The route to the instances of a workload on this machine: in turns, and past those that do not answer. */
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import type { StreamRoute } from './relay.ts';
import type { DatagramRoute, DatagramSession } from './udp-relay.ts';

export interface InstanceAddress {
  readonly address: string;
  readonly port: number;
}

/** For one instance to take a connection. */
export const defaultConnectMs = 3000;
/** Datagrams that wait until their socket stands. */
const maxWaiting = 16;

export class InstanceRoute implements StreamRoute, DatagramRoute {
  readonly #connectMs: number;
  #instances: readonly InstanceAddress[];
  #turn = 0;

  constructor(instances: readonly InstanceAddress[] = [], connectMs = defaultConnectMs) {
    this.#instances = instances;
    this.#connectMs = connectMs;
  }

  /** From the next connection on; those that are open stay. @param instances that are ready */
  update(instances: readonly InstanceAddress[]): void {
    this.#instances = instances;
  }

  async open(signal: AbortSignal): Promise<Socket> {
    let why: unknown;
    for (const instance of this.#inTurn()) {
      if (signal.aborted) break;
      try {
        return await dial(instance, AbortSignal.any([signal, AbortSignal.timeout(this.#connectMs)]));
      } catch (cause) {
        why = cause;
      }
    }
    throw new Error('no instance takes the connection', { cause: why });
  }

  openDatagrams(far: { message(bytes: Buffer): void; closed(): void }): DatagramSession | undefined {
    const [instance] = this.#inTurn();
    return instance === undefined ? undefined : openSession(instance, far);
  }

  /** All of them, the next one first. */
  #inTurn(): readonly InstanceAddress[] {
    const count = this.#instances.length;
    if (count === 0) return [];
    const first = this.#turn % count;
    this.#turn = first + 1;
    return [...this.#instances.slice(first), ...this.#instances.slice(0, first)];
  }
}

function dial({ address, port }: InstanceAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const settle = (outcome: () => void): void => {
      signal.removeEventListener('abort', abort);
      outcome();
    };
    // Stays for good: whoever takes the socket over listens a moment later.
    const onError = (cause: Error): void => settle(() => reject(cause));
    const abort = (): void =>
      settle(() => {
        socket.destroy();
        reject(new Error(`no connection to ${address}:${port} in time`));
      });
    socket.on('error', onError);
    socket.once('connect', () => settle(() => resolve(socket)));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}

function openSession(
  { address, port }: InstanceAddress,
  far: { message(bytes: Buffer): void; closed(): void },
): DatagramSession {
  const socket = createSocket('udp4');
  let waiting: Buffer[] | undefined = [];
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    waiting = [];
    socket.close();
  };
  socket.on('message', (bytes) => far.message(bytes));
  // "Connection refused" comes as an answer to what was sent before.
  socket.on('error', () => {
    close();
    far.closed();
  });
  socket.connect(port, address, () => {
    for (const bytes of waiting ?? []) if (!closed) socket.send(bytes);
    waiting = undefined;
  });
  const send = (bytes: Buffer): void => {
    if (closed) return;
    if (waiting === undefined) socket.send(bytes);
    else if (waiting.length < maxWaiting) waiting.push(bytes);
  };
  return { send, close };
}
