/** The open websockets of one deployment. */

interface Open {
  goAway(): void;
  destroy(): void;
}

export class Websockets {
  readonly #open = new Set<Open>();
  #leaving = false;

  get size(): number {
    return this.#open.size;
  }

  add(websocket: Open): void {
    this.#open.add(websocket);
    if (this.#leaving) websocket.goAway();
  }

  delete(websocket: Open): void {
    this.#open.delete(websocket);
  }

  /** Tells both sides of all of them that they end, and of those that are agreed on from now on. */
  goAway(): void {
    this.#leaving = true;
    for (const websocket of this.#open) websocket.goAway();
  }

  destroy(): void {
    for (const websocket of this.#open) websocket.destroy();
  }
}
