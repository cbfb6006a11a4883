/** Waits for a condition that another process brings about, bounded. */

const limitMs = 10_000;

/** @throws Error when it has not come within the limit */
export async function eventually<T>(look: () => T | undefined): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`it did not come within ${limitMs / 1_000} s`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
