/** What is to happen, in the order of time: a heap, first come first served at the same time. */
export class Agenda {
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #actions: (() => void)[] = [];
  #next = 0;
  nowMs = 0;

  at(timeMs: number, action: () => void): void {
    let place = this.#times.length;
    const order = this.#next;
    this.#next += 1;
    while (place > 0) {
      const above = (place - 1) >>> 1;
      if ((this.#times[above] as number) <= timeMs) break;
      this.#move(above, place);
      place = above;
    }
    this.#put(place, timeMs, order, action);
  }

  after(delayMs: number, action: () => void): void {
    this.at(this.nowMs + delayMs, action);
  }

  /** Does what is next. @returns false when nothing is left */
  step(): boolean {
    const action = this.#actions[0];
    if (action === undefined) return false;
    this.nowMs = this.#times[0] as number;
    this.#removeFirst();
    action();
    return true;
  }

  #removeFirst(): void {
    const [time, order] = [this.#times.pop() as number, this.#orders.pop() as number];
    const action = this.#actions.pop() as () => void;
    const size = this.#times.length;
    if (size === 0) return;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= size) break;
      if (below + 1 < size && this.#isBefore(below + 1, this.#times[below] as number, this.#orders[below] as number)) {
        below += 1;
      }
      if (!this.#isBefore(below, time, order)) break;
      this.#move(below, place);
      place = below;
    }
    this.#put(place, time, order, action);
  }

  #isBefore(place: number, time: number, order: number): boolean {
    const own = this.#times[place] as number;
    return own < time || (own === time && (this.#orders[place] as number) < order);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] as number, this.#orders[from] as number, this.#actions[from] as () => void);
  }

  #put(place: number, time: number, order: number, action: () => void): void {
    this.#times[place] = time;
    this.#orders[place] = order;
    this.#actions[place] = action;
  }
}
