/** The route to another lease's instances on this machine. What was opened by it ends with it, as over a tunnel. */
import type { Socket } from 'node:net';
import type { InstanceRoute } from '../network/instance-route.ts';
import type { StreamRoute } from '../network/relay.ts';
import type { DatagramRoute, DatagramSession } from '../network/udp-relay.ts';
import type { FarName, ServedNeighbour } from './links.ts';

export class NeighbourRoute implements StreamRoute, DatagramRoute {
  readonly far: FarName;
  /** The workload that calls. */
  readonly caller: string;
  readonly #instances: () => InstanceRoute | undefined;
  /** What cuts each connection that is open. */
  readonly #open = new Set<() => void>();
  #isClosed = false;

  /** @param instances undefined where the other lease is not served here, or does not offer them */
  constructor({ far, caller }: Pick<ServedNeighbour, 'far' | 'caller'>, instances: () => InstanceRoute | undefined) {
    this.far = far;
    this.caller = caller.workload;
    this.#instances = instances;
  }

  async open(signal: AbortSignal): Promise<Socket> {
    const route = this.#isClosed ? undefined : this.#instances();
    if (route === undefined) throw new Error('the other lease is not served here, or does not offer the connection');
    const socket = await route.open(signal);
    const cut = (): void => void socket.resetAndDestroy();
    this.#open.add(cut);
    socket.once('close', () => this.#open.delete(cut));
    // It was taken back while an instance was asked.
    if (this.#isClosed || this.#instances() === undefined) cut();
    return socket;
  }

  openDatagrams(far: { message(bytes: Buffer): void; closed(): void }): DatagramSession | undefined {
    const route = this.#isClosed ? undefined : this.#instances();
    const session = route?.openDatagrams({
      message: (bytes) => far.message(bytes),
      closed: () => {
        this.#open.delete(cut);
        far.closed();
      },
    });
    if (session === undefined) return undefined;
    const cut = (): void => {
      session.close();
      far.closed();
    };
    this.#open.add(cut);
    return {
      send: (bytes) => session.send(bytes),
      close: () => {
        this.#open.delete(cut);
        session.close();
      },
    };
  }

  /** Cuts what is open where nothing can be opened now; later that may be otherwise. */
  look(): void {
    if (this.#instances() === undefined) this.#cut();
  }

  /** Cuts what is open, and opens nothing any more. */
  close(): void {
    this.#isClosed = true;
    this.#cut();
  }

  #cut(): void {
    for (const cut of [...this.#open]) cut();
    this.#open.clear();
  }
}
