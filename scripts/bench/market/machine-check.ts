/** The machine itself: the same work at every size, so that a slow figure of a busy machine is seen to be one. */
import { percentile } from '../figures.ts';

/** Milliseconds of a fixed loop, the median of five. */
export function machineCheck(): number {
  return percentile(
    Array.from({ length: 5 }, () => {
      const began = performance.now();
      let value = 1;
      // Xorshift: each step needs the one before, so nothing of it can be left out.
      for (let step = 0; step < 20_000_000; step += 1) {
        value ^= value << 13;
        value ^= value >>> 17;
        value ^= value << 5;
      }
      if (value === 0) throw new Error('xorshift never comes to 0');
      return performance.now() - began;
    }),
    0.5,
  );
}
