import { Troubles } from '../troubles.ts';

/** What the watch tells of comes at once; it is taken up one after the other, each by itself. */
export class Arrivals {
  #turn: Promise<void> = Promise.resolve();
  #troubles = new Troubles();

  /** One that cannot be taken up keeps no other from it, and is told by `taken`. */
  add(take: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(() => this.#troubles.keep((async () => take())()));
  }

  /** Waits for those that have come. @throws the first failure since the last call */
  async taken(): Promise<void> {
    await this.#turn;
    const troubles = this.#troubles;
    this.#troubles = new Troubles();
    troubles.raise();
  }
}
