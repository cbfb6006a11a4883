/** For tests that start real processes: on a busy machine a start alone takes seconds. */
import { jest } from '@jest/globals';

const { setTimeout: allowMs } = jest;

/** Gives each test and hook of the file that calls it so long before it counts as failed. */
export function allowSeconds(seconds: number): void {
  allowMs(seconds * 1000);
}
