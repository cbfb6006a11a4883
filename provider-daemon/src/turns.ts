/** Work on the same thing, one after the other; work on others goes on beside it. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Does the work when all that was given before for the same thing is over, whatever became of it. */
  take<T>(of: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(of) ?? Promise.resolve()).then(work);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(of, settled);
    void settled.then(() => {
      if (this.#last.get(of) === settled) this.#last.delete(of);
    });
    return turn;
  }
}
