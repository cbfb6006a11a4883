/** Who goes first where the processors are all busy. */
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Of processes that run foreign code, as nice(1) counts: each gets a third of the time that the gateway gets, which has to
 * answer, refuse and serve others while functions take all that there is.
 */
const guestNiceness = 5;

/** Where the system does not allow it, or the process is gone, nothing changes. */
export function standBack(pid: number): void {
  attempt(() => setPriority(pid, guestNiceness));
  // Where Linux shares time by session and then by process (sched(7), autogroup), the session's niceness is what counts.
  attempt(() => writeFileSync(`/proc/${pid}/autogroup`, `${guestNiceness}`));
}

function attempt(change: () => void): void {
  try {
    change();
  } catch {
    // It runs all the same.
  }
}
