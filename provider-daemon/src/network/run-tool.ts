/** Programs of the system that change the host: run without a shell, with a time limit, and errors a person can use. */
import { spawn } from 'node:child_process';
import { WorkloadError } from '../workloads/driver.ts';

/** Longest time for one of them, where nothing else is said. */
const defaultToolMs = 30_000;
/** Of what a program prints, this much is kept. */
const maxOutputBytes = 64 << 20;
const maxErrorChars = 1000;

export interface ToolOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Exit codes that are no failure; 0 alone where it is left out. */
  readonly accept?: readonly number[];
}

/** Where a host's administrator finds a program that is missing. */
const packages: Readonly<Record<string, string>> = {
  nft: 'nftables',
  ip: 'iproute2',
  'mkfs.ext4': 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  fallocate: 'util-linux',
  losetup: 'util-linux',
  mount: 'mount',
  umount: 'mount',
};

/** Runs a program to its end. @returns what it printed. @throws WorkloadError `failed`, with what it said */
export type RunTool = (program: string, args: readonly string[], options?: ToolOptions) => Promise<string>;

export const runTool: RunTool = (program, args, options = {}) =>
  new Promise((resolve, reject) => {
    const { input = '', timeoutMs = defaultToolMs, accept = [0] } = options;
    const fail = (why: string): void =>
      reject(new WorkloadError('failed', `\`${[program, ...args].join(' ')}\` failed on this host: ${why}`));
    // Administrators' programs are not on the path of every service; messages are read by people, so in one language.
    const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin` };
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const chunks: Buffer[] = [];
    let length = 0;
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxOutputBytes) child.kill('SIGKILL');
      else chunks.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString('utf8')).slice(0, maxErrorChars);
    });
    // A program that ends before it has read everything says why by its exit code.
    child.stdin.on('error', () => {});
    child.on('error', (cause: NodeJS.ErrnoException) => {
      const missing = packages[program];
      fail(cause.code === 'ENOENT' && missing ? `it is not installed; install the package ${missing}` : cause.message);
    });
    child.on('close', (code, signal) => {
      if (code !== null && accept.includes(code)) resolve(Buffer.concat(chunks).toString('utf8'));
      else
        fail(complaint.trim() || (signal === null ? `exit code ${code}` : `ended by ${signal}, limit ${timeoutMs} ms`));
    });
    child.stdin.end(input);
  });
