/** What the watch tells of comes at once; it is taken up one after the other, each by itself. */
export class Arrivals {
  #turn: Promise<void> = Promise.resolve();
  #failed: { readonly error: unknown } | undefined;

  /** One that cannot be taken up keeps no other from it, and is told by `taken`. */
  add(take: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(async () => {
      try {
        await take();
      } catch (error) {
        this.#failed ??= { error };
      }
    });
  }

  /** Waits for those that have come. @throws the first failure since the last call */
  async taken(): Promise<void> {
    await this.#turn;
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed !== undefined) throw failed.error;
  }
}
