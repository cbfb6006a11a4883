/** Flows of datagrams of a session: each is a source at the caller, and a socket to one instance at the callee. */
import type { DatagramRoute, DatagramSession } from '../network/udp-relay.ts';
import { maxDatagramBytes, resetCodes } from './frames.ts';

export interface FlowPort {
  /** @returns false where it was dropped */
  send(id: number, bytes: Buffer): boolean;
  close(id: number, code: number, text: string): void;
}

interface Flow {
  message(bytes: Buffer): void;
  closed(): void;
}

export class DatagramFlows {
  readonly #route: DatagramRoute | undefined;
  readonly #port: FlowPort;
  readonly #flows = new Map<number, Flow>();
  #dropped = 0;

  constructor(route: DatagramRoute | undefined, port: FlowPort) {
    this.#route = route;
    this.#port = port;
  }

  get size(): number {
    return this.#flows.size;
  }

  /** For want of room, or because they were too large. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Caller: one that this side has opened. */
  open(id: number, far: Flow): DatagramSession {
    this.#flows.set(id, far);
    return { send: (bytes) => this.#send(id, bytes), close: () => this.#close(id, resetCodes.closed) };
  }

  /** Callee: one that the peer has opened. @returns whether somebody takes it; else it is reset */
  accept(id: number): boolean {
    const session = this.#route?.openDatagrams({
      message: (bytes) => this.#send(id, bytes),
      closed: () => this.#close(id, resetCodes.closed),
    });
    if (session === undefined) {
      this.#port.close(id, resetCodes.refused, 'nobody takes the datagrams');
      return false;
    }
    this.#flows.set(id, { message: (bytes) => session.send(bytes), closed: () => session.close() });
    return true;
  }

  /** One has come from the peer. */
  receive(id: number, payload: Buffer): void {
    this.#flows.get(id)?.message(payload);
  }

  /** The peer has ended it. */
  reset(id: number): void {
    const flow = this.#flows.get(id);
    if (this.#flows.delete(id)) flow?.closed();
  }

  closeAll(): void {
    for (const id of [...this.#flows.keys()]) this.reset(id);
  }

  #send(id: number, bytes: Buffer): void {
    if (!this.#flows.has(id)) return;
    if (bytes.length > maxDatagramBytes || !this.#port.send(id, bytes)) this.#dropped += 1;
  }

  #close(id: number, code: number): void {
    if (this.#flows.delete(id)) this.#port.close(id, code, '');
  }
}
