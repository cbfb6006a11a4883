/**
 * Keeps a data plane: finds the one that runs, or starts one; when it dies, starts another and tells it again all that is
 * to be served. To the rest of the daemon it is one `Plane` that is always there.
 */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { messageOf } from '@mu/lib/error-message';
import type { Logger } from 'pino';
import type { Listening } from '../gateway/gateway.ts';
import { WorkloadError, type WorkloadLog } from '../workloads/driver.ts';
import type { ServedLinks, ServedView } from './links.ts';
import {
  type LeaseTotals,
  type Plane,
  type PlaneFigures,
  placed,
  type ServedLease,
  type ServedWays,
  type ServedWorkload,
} from './plane.ts';
import { PlaneClient, PlaneGone } from './plane-client.ts';
import { type PlaneSettings, planeFiles, settingsDigest } from './settings.ts';
import { wireVersion } from './wire.ts';

/** Time for a process to listen: its first sandbox is warm by then. */
const startMs = 60_000;
const lookMs = 50;
/** Between two attempts to start it. */
const againMs = 1_000;

export interface SupervisorOptions {
  readonly settings: PlaneSettings;
  readonly onLog: WorkloadLog;
  readonly log: Logger;
}

export class PlaneSupervisor implements Plane {
  readonly #options: SupervisorOptions;
  /** What is to be served, by lease. */
  readonly #wished = new Map<string, ServedLease>();
  /** What links the leases that are to be served, and by which view of the chain. */
  readonly #links = new Map<string, { readonly links: ServedLinks; toldTo?: PlaneClient }>();
  #view: ServedView | undefined;
  #client: Promise<PlaneClient>;
  #closed = false;
  #gateway: Listening = { host: '', port: 0 };
  #host: Listening = { host: '', port: 0 };

  private constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#client = this.#connected().then((client) => this.#watched(client));
    this.#client.catch(() => {});
  }

  /** @throws Error where no data plane can be started */
  static async start(options: SupervisorOptions): Promise<PlaneSupervisor> {
    const supervisor = new PlaneSupervisor(options);
    await supervisor.#client;
    return supervisor;
  }

  /** Where the gateway listens. */
  get gateway(): Listening {
    return this.#gateway;
  }

  /** Where the provider's own listener listens. */
  get host(): Listening {
    return this.#host;
  }

  async open(lease: string, ways: ServedWays): Promise<void> {
    await (await this.#client).open(lease, ways);
  }

  async serve(lease: ServedLease): Promise<void> {
    const client = await this.#client;
    await client.serve(lease);
    // What it was told before of a lease that it did not serve may have been in vain: the one that knew of it may have died.
    const before = this.#wished.has(lease.lease) ? undefined : this.#links.get(lease.lease);
    if (before !== undefined) delete before.toldTo;
    this.#wished.set(lease.lease, lease);
    // It is served, whatever comes of its links: they are told again with the next change, or by the next data plane.
    await this.#linkAgain(client, lease.lease).catch((error: Error) =>
      this.#options.log.error({ lease: lease.lease, reason: error.message }, 'a lease cannot be linked now'),
    );
  }

  async place(lease: string, workloads: readonly ServedWorkload[]): Promise<void> {
    const wish = this.#wished.get(lease);
    if (wish !== undefined) this.#wished.set(lease, { ...wish, workloads: placed(wish.workloads, workloads) });
    await (await this.#client).place(lease, workloads);
  }

  async link(lease: string, links: ServedLinks): Promise<void> {
    // Whatever comes of it: what is no longer linked must not be linked again.
    this.#links.set(lease, { links });
    await this.#linkAgain(await this.#client, lease);
  }

  async view(view: ServedView): Promise<void> {
    this.#view = view;
    await (await this.#client).view(view);
  }

  async drain(lease: string, addresses: readonly string[]): Promise<void> {
    await (await this.#client).drain(lease, addresses);
  }

  async withdraw(lease: string): Promise<void> {
    this.#wished.delete(lease);
    this.#links.delete(lease);
    await (await this.#client).withdraw(lease);
  }

  async served(): Promise<readonly string[]> {
    return (await this.#client).served();
  }

  async totals(): Promise<readonly LeaseTotals[]> {
    return (await this.#client).totals();
  }

  async figures(): Promise<PlaneFigures> {
    return (await this.#client).figures();
  }

  async forget(lease: string): Promise<void> {
    await (await this.#client).forget(lease);
  }

  /** Lets the data plane go on without the daemon. */
  async leave(): Promise<void> {
    this.#closed = true;
    (await this.#client).close();
  }

  /** Ends the data plane: requests under way are finished, what was used is on the disk. */
  async end(): Promise<void> {
    this.#closed = true;
    const client = await this.#client;
    await client.stop();
    await client.gone;
  }

  async #connected(): Promise<PlaneClient> {
    const client = await this.#find();
    const { gateway, host, pid } = await client.hello();
    this.#gateway = gateway;
    this.#host = host;
    this.#options.log.info({ pid, gateway, host }, 'data plane is there');
    return client;
  }

  #watched(client: PlaneClient): PlaneClient {
    void client.gone.then(() => this.#lost());
    return client;
  }

  /** One that runs with other settings, or speaks another version, ends first: a change of config needs that. */
  async #find(): Promise<PlaneClient> {
    const { settings, log } = this.#options;
    const running = await this.#connect();
    if (running === undefined) return this.#start();
    const { version, settings: digest } = await running.hello();
    if (version === wireVersion && digest === settingsDigest(settings)) return running;
    log.warn({}, 'the data plane runs with other settings: it is replaced, connections end');
    await running.stop();
    await running.gone;
    return this.#start();
  }

  async #start(): Promise<PlaneClient> {
    const { settings } = this.#options;
    const { folder } = settings;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, planeFiles.settings), JSON.stringify(settings), { mode: 0o600 });
    const log = openSync(join(folder, planeFiles.log), 'a', 0o600);
    const program = join(import.meta.dirname, 'main.ts');
    // A group of its own, and nobody's child: neither Ctrl-C nor the daemon's end is its end.
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, folder], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
    });
    closeSync(log);
    const failed = Promise.withResolvers<string>();
    child.once('error', (error) => failed.resolve(error.message));
    child.once('exit', (code, signal) => failed.resolve(`it ended with ${signal ?? `code ${code}`}`));
    child.unref();
    let why: string | undefined;
    void failed.promise.then((text) => {
      why = text;
    });
    for (let waited = 0; waited < startMs && why === undefined; waited += lookMs) {
      const client = await this.#connect();
      if (client !== undefined) return client;
      await pause(lookMs);
    }
    throw new WorkloadError(
      'failed',
      `the data plane does not start: ${why ?? 'it does not answer'}; its log is ${join(folder, planeFiles.log)}`,
    );
  }

  async #connect(): Promise<PlaneClient | undefined> {
    try {
      return await PlaneClient.connect(join(this.#options.settings.folder, planeFiles.socket), this.#options.onLog);
    } catch {
      return undefined;
    }
  }

  #lost(): void {
    if (this.#closed) return;
    this.#options.log.error({}, 'the data plane is gone: another one is started');
    this.#client = this.#again();
    this.#client.catch(() => {});
  }

  async #again(): Promise<PlaneClient> {
    const { log } = this.#options;
    for (;;) {
      if (this.#closed) throw new PlaneGone();
      try {
        const client = await this.#connected();
        if (this.#view !== undefined) await client.view(this.#view);
        for (const lease of this.#wished.values()) await this.#serveAgain(client, lease);
        // Only now: one that goes before is replaced here, and by nobody else.
        return this.#watched(client);
      } catch (error) {
        log.error({ reason: messageOf(error) }, 'the data plane cannot be started');
        await pause(againMs);
      }
    }
  }

  async #serveAgain(client: PlaneClient, lease: ServedLease): Promise<void> {
    try {
      await client.serve(lease);
      await this.#linkAgain(client, lease.lease);
    } catch (error) {
      if (error instanceof PlaneGone) throw error;
      const reason = messageOf(error);
      this.#options.log.error({ lease: lease.lease, reason }, 'a lease cannot be served again');
    }
  }

  async #linkAgain(client: PlaneClient, lease: string): Promise<void> {
    const wish = this.#links.get(lease);
    if (wish === undefined || wish.toldTo === client) return;
    await client.link(lease, wish.links);
    wish.toldTo = client;
  }
}
