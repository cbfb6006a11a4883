/** Keeps the log of the data plane's process within bounds: nobody else looks after it while the process runs for months. */
import { copyFileSync, statSync, truncateSync } from 'node:fs';

/** Of the log; as much again stands in the one before. */
export const maxLogBytes = 8 * 1024 * 1024;

/**
 * Moves a log that has grown to `<path>.1`, in place of what stood there. The process goes on writing to the same file: it
 * was opened to be appended to, so its next line is the first.
 * @throws Error where the disk does not take it; the log is as before then
 */
export function boundLog(path: string, maxBytes: number = maxLogBytes): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.size <= maxBytes) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
}
