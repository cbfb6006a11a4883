/**
 * A container engine of a test's own, which can be stopped and killed without anybody else noticing: own data, sockets,
 * containerd, namespaces and default bridge, and no hand on the host's packet filter.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { eventually } from '../process.ts';
import { EngineView } from './engine-view.ts';

/** Its network controller, the file systems of its containers and its containerd want their time. */
const startMs = 60_000;
const stopMs = 60_000;

/** Those of this process have networks of their own. */
let engines = process.pid;

export class OwnEngine {
  readonly folder: string;
  readonly #liveRestore: boolean;
  #process: ChildProcess | undefined;

  private constructor(liveRestore: boolean) {
    // Short: paths of sockets end at 107 bytes.
    this.folder = mkdtempSync(join(tmpdir(), 'mu-en-'));
    this.#liveRestore = liveRestore;
  }

  /** @param options.liveRestore containers run on while it is away */
  static async start(options: { readonly liveRestore: boolean }): Promise<OwnEngine> {
    const engine = new OwnEngine(options.liveRestore);
    try {
      await engine.start();
    } catch (error) {
      await engine.remove();
      throw error;
    }
    return engine;
  }

  get socket(): string {
    return join(this.folder, 'sock');
  }

  get isRunning(): boolean {
    const process = this.#process;
    return process !== undefined && process.exitCode === null && process.signalCode === null;
  }

  /** Starts it, or starts it again. */
  async start(): Promise<void> {
    const { folder } = this;
    mkdirSync(join(folder, 'x'), { recursive: true });
    // Else it would take the settings of the shared one.
    const config = join(folder, 'config.json');
    writeFileSync(config, '{}');
    const log = openSync(join(folder, 'log'), 'a');
    const name = basename(folder);
    const args = [
      ...['--host', `unix://${this.socket}`, '--config-file', config],
      ...['--data-root', join(folder, 'd'), '--exec-root', join(folder, 'x'), '--pidfile', join(folder, 'pid')],
      ...['--containerd-namespace', name, '--containerd-plugins-namespace', `${name}-plugins`],
      ...['--bridge', this.#bridge(), '--iptables=false', '--ip6tables=false', '--ip-masq=false', '--ip-forward=false'],
      ...(this.#liveRestore ? ['--live-restore'] : []),
    ];
    this.#forgetDeadContainerd();
    this.#process = spawn('dockerd', args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    const view = new EngineView(this.socket);
    await eventually(
      'an engine of our own',
      async () => {
        if (!this.isRunning) throw new Error(`dockerd ended:\n${this.lastLines()}`);
        return (await view.answers()) ? true : undefined;
      },
      startMs,
    );
  }

  /** A default bridge of its own: an engine that is told to have none takes that of the others away. */
  #bridge(): string {
    const name = basename(this.folder);
    if (existsSync(`/sys/class/net/${name}`)) return name;
    execFileSync('ip', ['link', 'add', name, 'type', 'bridge']);
    engines += 1;
    execFileSync('ip', ['address', 'add', `10.254.${engines % 256}.1/24`, 'dev', name]);
    return name;
  }

  /** As a service manager stops it. Without live-restore its containers end. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** `kill -9`: its containers run on, whatever is configured. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  lastLines(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8').split('\n').slice(-15).join('\n');
  }

  /** Ends it and takes its folder away. What ran on it must have been removed. */
  async remove(): Promise<void> {
    if (this.isRunning) await this.stop();
    await this.#endContainerd();
    const points = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
      .filter((point) => point.startsWith(`${this.folder}/`));
    for (const point of points.reverse()) execFileSync('umount', ['--lazy', point]);
    const bridge = basename(this.folder);
    if (existsSync(`/sys/class/net/${bridge}`)) execFileSync('ip', ['link', 'delete', bridge]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process;
    if (process === undefined || !this.isRunning) return;
    const ended = new Promise((resolve) => process.once('close', resolve));
    process.kill(signal);
    const timer = setTimeout(() => process.kill('SIGKILL'), stopMs);
    await ended;
    clearTimeout(timer);
  }

  /** A containerd of its own that a killed engine has left. */
  async #endContainerd(): Promise<void> {
    const pid = this.#containerd();
    if (pid === undefined) return;
    process.kill(pid, 'SIGTERM');
    await eventually('the end of containerd', () => (this.#containerd() === undefined ? true : undefined), stopMs);
  }

  /** It dies with an engine that is killed. Where nobody reaps it, the next engine would take it for a living one. */
  #forgetDeadContainerd(): void {
    if (this.#containerd() === undefined) rmSync(this.#containerdFile, { force: true });
  }

  get #containerdFile(): string {
    return join(this.folder, 'x', 'containerd', 'containerd.pid');
  }

  /** Its process; undefined where it is dead, reaped or not: what is dead has no command line. */
  #containerd(): number | undefined {
    if (!existsSync(this.#containerdFile)) return undefined;
    const pid = Number(readFileSync(this.#containerdFile, 'utf8'));
    const commandLine = `/proc/${pid}/cmdline`;
    const isAlive = existsSync(commandLine) && readFileSync(commandLine, 'utf8').includes(this.folder);
    return isAlive ? pid : undefined;
  }
}
