/** All tunnels of this machine by their labels: what the listener knows when a peer names one. */
import type { Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { acceptTunnel } from '../overlay/endpoint.ts';
import { listenOptions } from '../overlay/tls.ts';
import type { HeldTunnel } from './held-tunnel.ts';

export class TunnelBook {
  readonly #tunnels = new Map<string, HeldTunnel>();
  readonly #server: Server;
  #refused = 0;

  /** @param log takes a line about a peer that was not admitted */
  constructor(log: (line: string) => void) {
    // It listens nowhere: its connections come from the listener that has read whom they want.
    this.#server = createServer(listenOptions((label) => this.#tunnels.get(label)?.context));
    // Who cannot do the handshake may be anybody: it is counted, and fills no log.
    this.#server.on('tlsClientError', () => {
      this.#refused += 1;
    });
    this.#server.on('secureConnection', (socket) => {
      acceptTunnel(socket, (label) => this.#tunnels.get(label)).then(
        ({ label, ...admitted }) => {
          const tunnel = this.#tunnels.get(label);
          if (tunnel === undefined) admitted.socket.destroy();
          else tunnel.accept(admitted);
        },
        (error: Error) => {
          this.#refused += 1;
          log(`a peer that dials is refused: ${error.message}`);
        },
      );
    });
  }

  /** Peers that were not admitted, or could not do the handshake. */
  get refused(): number {
    return this.#refused;
  }

  /** Takes a connection whose client wants a tunnel, before a byte has been taken out of it. */
  readonly take = (socket: Socket): void => {
    this.#server.emit('connection', socket);
  };

  /** The latest of a label is the one: two leases may have the same for a while, when one replaces the other. */
  add(label: string, tunnel: HeldTunnel): void {
    this.#tunnels.set(label, tunnel);
  }

  remove(label: string, tunnel: HeldTunnel): void {
    if (this.#tunnels.get(label) === tunnel) this.#tunnels.delete(label);
  }
}
