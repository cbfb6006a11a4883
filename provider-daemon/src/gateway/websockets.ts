/** The open websockets of one deployment. */

interface Open {
  goAway(): void;
  destroy(): void;
}

export class Websockets {
  readonly #open = new Set<Open>();

  get size(): number {
    return this.#open.size;
  }

  add(websocket: Open): void {
    this.#open.add(websocket);
  }

  delete(websocket: Open): void {
    this.#open.delete(websocket);
  }

  /** Tells both sides of all of them that they end. */
  goAway(): void {
    for (const websocket of this.#open) websocket.goAway();
  }

  destroy(): void {
    for (const websocket of this.#open) websocket.destroy();
  }
}
