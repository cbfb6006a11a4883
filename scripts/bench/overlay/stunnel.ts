/** A pair of stunnel processes (Debian's stunnel4), with the same certificates as the tunnel. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../lib/localnet/ports.ts';

export interface StunnelPair {
  /** Leads to the port that was given. */
  readonly port: number;
  stop(): void;
}

export interface StunnelCredentials {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** The program; installed where it is missing and this is root on Debian. @returns undefined where it cannot be had */
export function findStunnel(): string | undefined {
  const find = (): string | undefined => {
    try {
      return execFileSync('sh', ['-c', 'command -v stunnel4 || command -v stunnel'], { encoding: 'utf8' }).trim();
    } catch {
      return undefined;
    }
  };
  const there = find();
  if (there !== undefined || process.getuid?.() !== 0) return there;
  try {
    execFileSync('apt-get', ['install', '-y', '-qq', 'stunnel4'], { stdio: 'ignore', timeout: 120_000 });
  } catch {
    return undefined;
  }
  return find();
}

/** @param target a port of 127.0.0.1 */
export async function startStunnel(program: string, target: number, given: StunnelCredentials): Promise<StunnelPair> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-stunnel-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const [between, port] = (await freePorts(2)) as [number, number];
  const common = [
    ...['foreground = yes', 'debug = 0', 'socket = l:TCP_NODELAY=1', 'socket = r:TCP_NODELAY=1', 'pid ='],
    ...['[mu]', 'sslVersionMin = TLSv1.3', 'verifyChain = yes'],
    ...[`key = ${file('key.pem', given.key)}`, `cert = ${file('cert.pem', given.cert)}`],
    `CAfile = ${file('ca.pem', given.ca)}`,
  ];
  const start = (name: string, lines: readonly string[]): ChildProcess =>
    spawn(program, [file(name, [...common, ...lines, ''].join('\n'))], { stdio: 'ignore' });
  const callee = start('callee.conf', [`accept = 127.0.0.1:${between}`, `connect = 127.0.0.1:${target}`]);
  const caller = start('caller.conf', ['client = yes', `accept = 127.0.0.1:${port}`, `connect = 127.0.0.1:${between}`]);
  const stop = (): void => {
    callee.kill();
    caller.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await answering(between);
    await answering(port);
  } catch (error) {
    stop();
    throw error;
  }
  return { port, stop };
}

async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const socket = connect({ host: '127.0.0.1', port });
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`stunnel does not answer on port ${port}`);
}
