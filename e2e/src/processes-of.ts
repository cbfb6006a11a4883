/** Who is still there: for tests that leave nothing behind. */
import { execFileSync } from 'node:child_process';

/** Command lines of processes that mention the folder. */
export function processesOf(folder: string): string[] {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(folder));
}
