/**
 * Processes of one session of a container, as this machine sees them. A command that the engine runs leads a session of its
 * own, which its children stay in.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** @returns the session’s number; undefined where the process is not here, or not of the container */
export function sessionOf(pid: number, containerId: string): number | undefined {
  if (!isOfContainer(pid, containerId)) return undefined;
  return readSession(pid);
}

/** Kills all processes of the session that are in the container. */
export function killSession(session: number, containerId: string): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    // The number may have gone to somebody else meanwhile: only what is in the container is ended.
    if (readSession(pid) !== session || !isOfContainer(pid, containerId)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
  }
}

function readSession(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name in brackets, which may hold anything: state, parent, group, session.
    const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
    return Number.isInteger(session) && session > 0 ? session : undefined;
  } catch {
    return undefined;
  }
}

function isOfContainer(pid: number, containerId: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(containerId);
  } catch {
    return false;
  }
}
