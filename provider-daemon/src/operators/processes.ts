/** Processes and sockets of this machine, from Linux's /proc; where there is none, nothing is known. */
import { readFile } from 'node:fs/promises';

/** The kernel counts times for user space in hundredths of a second (proc(5), USER_HZ). */
const ticksPerSecond = 100;
/** Of /proc/net/unix: the socket accepts connections (`__SO_ACCEPTCON`). */
const listeningFlag = 0x10000;

/** When a process began, in milliseconds since 1970. */
export async function processStartMs(pid: number): Promise<number | undefined> {
  try {
    const [stat, system] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile('/proc/stat', 'utf8')]);
    // The program's name stands in brackets and may have any sign in it: the fields are counted from behind it.
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const bootSeconds = Number(/^btime (\d+)$/m.exec(system)?.[1]);
    const startedMs = (bootSeconds + ticks / ticksPerSecond) * 1000;
    return Number.isFinite(startedMs) ? startedMs : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether somebody listens at the path of a Unix socket, found out without connecting: a connection to the data plane would
 * take the log lines that it keeps for its daemon. Undefined where the system does not tell.
 */
export async function isListening(path: string): Promise<boolean | undefined> {
  try {
    const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n');
    return lines.some((line) => isListener(line, path));
  } catch {
    return undefined;
  }
}

/** `Num RefCount Protocol Flags Type St Inode Path` */
function isListener(line: string, path: string): boolean {
  if (!line.endsWith(` ${path}`)) return false;
  const flags = Number.parseInt(line.split(/\s+/)[3] ?? '', 16);
  return (flags & listeningFlag) !== 0;
}

/** Soft and hard limit of open files of a process; undefined: none, or not known. */
export async function openFileLimits(pid: number | 'self'): Promise<{ soft?: number; hard?: number }> {
  try {
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
    const [soft, hard] = (/^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? []).slice(1).map(Number);
    return {
      ...(soft !== undefined && Number.isFinite(soft) ? { soft } : {}),
      ...(hard !== undefined && Number.isFinite(hard) ? { hard } : {}),
    };
  } catch {
    return {};
  }
}
