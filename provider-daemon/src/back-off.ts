/** How long is waited before what has failed is tried again. */

export interface BackOffBounds {
  readonly first: number;
  readonly most: number;
}

/** `first`, twice that, and so on up to `most`, in their unit. @param attempt from 0 */
export function backOffMs(attempt: number, { first, most }: BackOffBounds): number {
  return Math.min(most, first * 2 ** Math.min(attempt, 30));
}

/** The same, half of it by chance, so that not all who have failed at once try again at once. @param chance from 0 to 1 */
export function spreadBackOffMs(attempt: number, bounds: BackOffBounds, chance: number): number {
  return backOffMs(attempt, bounds) * (0.5 + chance / 2);
}
