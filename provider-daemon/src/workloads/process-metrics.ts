/** What a process takes, from Linux's /proc (proc(5)). */
import { readFile } from 'node:fs/promises';
import type { InstanceMetrics } from './driver.ts';

/** The kernel counts times for user space in hundredths of a second, whatever its own clock is (proc(5), USER_HZ). */
const microsPerTick = 10_000n;
/** Of x86 and of ARM servers. */
const pageBytes = 4096n;

/** Undefined for a process that is gone, and where there is no /proc. */
export async function processMetrics(pid: number | undefined): Promise<Omit<InstanceMetrics, 'index'> | undefined> {
  if (pid === undefined) return undefined;
  try {
    const [stat, statm] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/statm`, 'utf8'),
    ]);
    // The program's name stands in brackets and may have any sign in it: the fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [userTicks = '0', systemTicks = '0'] = fields.slice(11, 13);
    return {
      cpuMicros: (BigInt(userTicks) + BigInt(systemTicks)) * microsPerTick,
      memoryBytes: BigInt(statm.split(' ')[1] ?? '0') * pageBytes,
      receivedBytes: 0n,
      sentBytes: 0n,
      diskBytes: 0n,
    };
  } catch {
    return undefined;
  }
}
