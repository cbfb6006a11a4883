/** Several pieces of work of which one that fails keeps no other from being done. */
export class Troubles {
  #first: { readonly error: unknown } | undefined;

  /** Waits for one piece; what it throws is kept for the end. */
  async keep(work: Promise<unknown> | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#first ??= { error };
    }
  }

  /** When all is done. @throws the first that was kept */
  raise(): void {
    if (this.#first !== undefined) throw this.#first.error;
  }
}
