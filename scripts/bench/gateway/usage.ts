/** What processes and containers take of this machine, from /proc and the engine's cgroups (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

const ticksPerSecond = 100;

export interface Taken {
  /** Memory of its own, in MiB: pages of files that are shared with others are not counted. */
  readonly memoryMib: number;
  readonly cpuSeconds: number;
}

const nothing: Taken = { memoryMib: 0, cpuSeconds: 0 };

/** A process; nothing where it is gone. */
export function takenBy(pid: number): Taken {
  try {
    const [, kib = '0'] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return {
      memoryMib: Number(kib) / 1024,
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    };
  } catch {
    return nothing;
  }
}

/** Several together. */
export function takenByAll(pids: readonly number[]): Taken {
  return pids.map(takenBy).reduce(
    (sum, one) => ({
      memoryMib: sum.memoryMib + one.memoryMib,
      cpuSeconds: sum.cpuSeconds + one.cpuSeconds,
    }),
    nothing,
  );
}

/** Processes whose command line matches. */
export function pidsLike(pattern: RegExp): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pattern.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
      } catch {
        return false;
      }
    });
}

/** A process and all that it has started. */
export function familyOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const pid of pidsLike(/./)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const isChild = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === root || isChild(parents.get(pid)));
  return [...parents.keys()].filter(isChild);
}
