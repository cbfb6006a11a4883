/** All tunnels of this machine by their labels: what the listener knows when a peer names one. */
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { acceptTunnel } from '../overlay/endpoint.ts';
import { listenOptions } from '../overlay/tls.ts';
import type { HeldTunnel } from './held-tunnel.ts';

interface Holder {
  /** Its number, as text. */
  readonly lease: string;
  readonly tunnel: HeldTunnel;
}

export class TunnelBook {
  /** By label, the newest lease's last: two have the same for a while, when one replaces the other at the same node. */
  readonly #tunnels = new Map<string, readonly Holder[]>();
  readonly #server: Server;
  #refused = 0;

  /** @param log takes a line about a peer that was not admitted */
  constructor(log: (line: string) => void) {
    // It listens nowhere: its connections come from the listener that has read whom they want.
    this.#server = createServer(listenOptions((label) => this.#newest(label)?.context));
    // Who cannot do the handshake may be anybody: it is counted, and fills no log.
    this.#server.on('tlsClientError', () => {
      this.#refused += 1;
    });
    this.#server.on('secureConnection', (socket) => {
      this.#accept(socket).catch((error: Error) => {
        this.#refused += 1;
        log(`a peer that dials is refused: ${error.message}`);
      });
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

  /** Who dials the label is this one's from now on, where no newer lease has it. @param lease its number, as text */
  add(label: string, lease: string, tunnel: HeldTunnel): void {
    const holders = [...(this.#tunnels.get(label) ?? []), { lease, tunnel }];
    this.#tunnels.set(
      label,
      holders.sort((a, b) => byNumber(a.lease, b.lease)),
    );
  }

  remove(label: string, tunnel: HeldTunnel): void {
    const left = (this.#tunnels.get(label) ?? []).filter((one) => one.tunnel !== tunnel);
    if (left.length === 0) this.#tunnels.delete(label);
    else this.#tunnels.set(label, left);
  }

  #newest(label: string): HeldTunnel | undefined {
    return this.#tunnels.get(label)?.at(-1)?.tunnel;
  }

  async #accept(socket: TLSSocket): Promise<void> {
    const { label, ...admitted } = await acceptTunnel(socket, (one) => this.#newest(one));
    const tunnel = this.#newest(label);
    if (tunnel === undefined) admitted.socket.destroy();
    else tunnel.accept(admitted);
  }
}

/** Decimals without leading zeros. */
const byNumber = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : Number(a > b));
