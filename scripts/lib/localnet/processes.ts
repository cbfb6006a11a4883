/**
 * Programs that outlive the command that starts them: a pid file each, and the certainty that a pid is still theirs. A
 * process is ours when its command line names our folder; numbers alone are used again by others.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { eventually } from '@mu/e2e/process';

export interface ProgramFiles {
  /** what people call it, in errors */
  readonly title: string;
  /** one argument of its command line that no other program has beside it: its home folder */
  readonly mark: string;
  readonly pidFile: string;
  /** all it writes, appended */
  readonly logFile: string;
  /** stdout apart, new at each start: where the program says there that it is ready */
  readonly outFile?: string;
}

/** Starts it apart from us, with its output in files. @returns its pid */
export function startDetached(files: ProgramFiles, command: string, args: readonly string[]): Promise<number> {
  const log = openSync(files.logFile, 'a');
  const out = files.outFile === undefined ? log : openSync(files.outFile, 'w');
  const child = spawn(command, args, { detached: true, stdio: ['ignore', out, log] });
  for (const file of new Set([out, log])) closeSync(file);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${files.title} cannot be started: ${error.message}`)));
    child.once('spawn', () => {
      writeFileSync(`${files.pidFile}.new`, `${child.pid}\n`);
      renameSync(`${files.pidFile}.new`, files.pidFile);
      child.unref();
      resolve(child.pid as number);
    });
  });
}

/** The pid of the program where it lives. */
export function pidOf(files: ProgramFiles): number | undefined {
  if (!existsSync(files.pidFile)) return undefined;
  const pid = Number(readFileSync(files.pidFile, 'utf8').trim());
  return Number.isInteger(pid) && pid > 1 && hasArgument(pid, files.mark) ? pid : undefined;
}

/** Whether a process lives and was started with this argument; one that is dead and waits to be reaped does not. */
function hasArgument(pid: number, argument: string): boolean {
  try {
    if (existsSync('/proc/self/cmdline')) {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      // For a moment of each exec a living process has no arguments; a launcher that becomes its program goes through it.
      return line === '' ? !isDead(pid) : line.split('\0').includes(argument);
    }
    // Systems without /proc show one line.
    const line = execFileSync('ps', ['-p', String(pid), '-o', 'command='], { encoding: 'utf8' }).trimEnd();
    return `${line} `.includes(` ${argument} `);
  } catch {
    return false;
  }
}

/** A process whose first thread is dead lives on, and holds its files, until the others are: much memory takes its time. */
function isDead(pid: number): boolean {
  return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')) && readdirSync(`/proc/${pid}/task`).length === 1;
}

/** Sends a signal where the program lives. @returns whether it does */
export function signal(files: ProgramFiles, name: NodeJS.Signals): boolean {
  const pid = pidOf(files);
  if (pid === undefined) return false;
  try {
    process.kill(pid, name);
    return true;
  } catch {
    // It ended between the two lines.
    return false;
  }
}

/** Asks it to end and insists after the limit; a paused one is woken first. Returns when it is gone. */
export async function stopProgram(files: ProgramFiles, limitMs: number): Promise<void> {
  const asked = performance.now();
  if (signal(files, 'SIGTERM')) signal(files, 'SIGCONT');
  await eventually(
    `the end of ${files.title}`,
    () => {
      if (pidOf(files) === undefined) return true;
      if (performance.now() - asked > limitMs) signal(files, 'SIGKILL');
      return undefined;
    },
    limitMs + 30_000,
  );
  rmSync(files.pidFile, { force: true });
}

/** `kill -9`: no goodbye. Returns when it is gone. */
export async function killProgram(files: ProgramFiles): Promise<void> {
  signal(files, 'SIGKILL');
  await eventually(`the end of ${files.title}`, () => (pidOf(files) === undefined ? true : undefined), 30_000);
  rmSync(files.pidFile, { force: true });
}

/** The last lines of a log, for an error that must say why. */
export function lastLines(file: string, count = 12): string {
  if (!existsSync(file)) return '';
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count).join('\n');
}
