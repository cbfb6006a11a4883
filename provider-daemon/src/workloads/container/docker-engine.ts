/** The Docker Engine API by dockerode: time limits on every call, plain errors. */
import { Agent } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import Docker from 'dockerode';
import {
  type ContainerFacts,
  type CreateBody,
  type Engine,
  EngineError,
  type EngineEvent,
  type EngineFacts,
  type ExecOptions,
  type ImageFacts,
  type PullProgress,
  type RawStats,
  type RegistryCredentials,
} from './engine.ts';
import {
  containerFactsOf,
  type EngineInfo,
  engineFactsOf,
  eventsIn,
  jsonLines,
  progressIn,
  statsOf,
  throwIfError,
} from './engine-readers.ts';

/** Longest time of a call; streams are bound by it until they begin. */
const callMs = 30_000;
/** Creating and starting wait for the disk and for the network's set-up. */
const startMs = 120_000;
const loadMs = 30 * 60_000;

export interface DockerEngineOptions {
  /** Path of the engine's socket; `/var/run/docker.sock` where left out. */
  readonly socket?: string;
  /** In place of the time limit of calls, for tests. */
  readonly callMs?: number;
}

export class DockerEngine implements Engine {
  readonly endpoint: string;
  readonly #docker: Docker;
  readonly #callMs: number;

  constructor(options: DockerEngineOptions = {}) {
    const socketPath = options.socket ?? '/var/run/docker.sock';
    this.endpoint = `unix://${socketPath}`;
    this.#callMs = options.callMs ?? callMs;
    // A connection that was kept would be a dead one after the engine's restart.
    const connection = { socketPath, agent: new Agent({ keepAlive: false }) };
    this.#docker = new Docker(connection);
  }

  async facts(): Promise<EngineFacts> {
    const info = await this.#call('ask the engine about itself', () => this.#docker.info());
    const version = await this.#call('ask the engine for its version', () => this.#docker.version());
    return engineFactsOf(info as EngineInfo, version);
  }

  async list(labels: readonly string[]): Promise<{ id: string; labels: Record<string, string> }[]> {
    const filters = { label: [...labels] };
    const found = await this.#call('list containers', (abortSignal) =>
      this.#docker.listContainers({ all: true, filters, abortSignal }),
    );
    return found.map(({ Id, Labels }) => ({ id: Id, labels: Labels }));
  }

  async inspect(id: string): Promise<ContainerFacts | undefined> {
    const found = await this.#found(`inspect container ${short(id)}`, (abortSignal) =>
      this.#docker.getContainer(id).inspect({ abortSignal }),
    );
    return found === undefined ? undefined : containerFactsOf(found);
  }

  async create(name: string, body: CreateBody): Promise<string> {
    const made = await this.#call(
      `create container ${name}`,
      (abortSignal) => this.#docker.createContainer({ ...body, name, abortSignal }),
      startMs,
    );
    return made.id;
  }

  async start(id: string): Promise<void> {
    await this.#allowing([304], `start container ${short(id)}`, startMs, (abortSignal) =>
      this.#docker.getContainer(id).start({ abortSignal }),
    );
  }

  async stop(id: string, graceSeconds: number): Promise<void> {
    const stop = (seconds: number): Promise<void> =>
      this.#allowing([304, 404], `stop container ${short(id)}`, this.#callMs + seconds * 1000, (abortSignal) =>
        this.#docker.getContainer(id).stop({ t: seconds, abortSignal }),
      );
    await this.#hurried(id, stop, graceSeconds);
  }

  async remove(id: string): Promise<void> {
    // 409: its removal is under way already.
    const remove = (): Promise<void> =>
      this.#allowing([404, 409], `remove container ${short(id)}`, startMs, () =>
        this.#docker.getContainer(id).remove({ force: true, v: true }),
      );
    await this.#hurried(id, remove, 0);
  }

  /**
   * Dying takes processor time. Hundreds of processes with a small share take longer over it than the engine waits, which
   * then answers 500: they get a whole processor for it, once.
   */
  async #hurried(id: string, end: (seconds: number) => Promise<void>, seconds: number): Promise<void> {
    try {
      await end(seconds);
    } catch (error) {
      if (!(error instanceof EngineError) || error.status !== 500) throw error;
      const container = this.#docker.getContainer(id);
      const before = await this.#found(`inspect container ${short(id)}`, () => container.inspect());
      const { CpuPeriod: period = 0, CpuQuota: quota = 0 } = before?.HostConfig ?? {};
      const give = (share: number): Promise<void> =>
        this.#allowing([404, 409, 500], `change the share of container ${short(id)}`, this.#callMs, () =>
          container.update({ CpuPeriod: period, CpuQuota: share }),
        );
      if (quota > 0) await give(Math.max(period, quota));
      await end(0);
      // It may be started again.
      if (quota > 0) await give(quota);
    }
  }

  async stats(id: string): Promise<RawStats> {
    const once = { stream: false, 'one-shot': true } as const;
    const stats = await this.#call(`read figures of container ${short(id)}`, () =>
      this.#docker.getContainer(id).stats(once),
    );
    return statsOf(stats);
  }

  async logs(id: string, since: string | undefined): Promise<Readable> {
    const container = this.#docker.getContainer(id);
    const options = { follow: true, stdout: true, stderr: true, timestamps: true } as const;
    const stream = await this.#call(`read the log of container ${short(id)}`, () =>
      // The type wants a number, in which the nanoseconds would be lost.
      container.logs({ ...options, ...(since === undefined ? {} : { since: since as unknown as number }) }),
    );
    return stream as Readable;
  }

  async events(label: string, signal: AbortSignal): Promise<AsyncIterable<EngineEvent>> {
    const filters = { type: ['container' as const], label: [label] };
    const options = { filters, abortSignal: signal };
    const stream = await this.#call('follow the engine’s events', () => this.#docker.getEvents(options));
    return eventsIn(stream as Readable);
  }

  async execCreate(id: string, { command, tty }: ExecOptions): Promise<string> {
    const made = await this.#call(`run a command in container ${short(id)}`, (abortSignal) =>
      this.#docker.getContainer(id).exec({
        Cmd: [...command],
        Tty: tty,
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Privileged: false,
        abortSignal,
      }),
    );
    return made.id;
  }

  execStart(execId: string, tty: boolean): Promise<Duplex> {
    return this.#call('start a command', () =>
      this.#docker.getExec(execId).start({ hijack: true, stdin: true, Tty: tty }),
    );
  }

  async execResize(execId: string, columns: number, rows: number): Promise<void> {
    await this.#call('change a terminal’s size', () => this.#docker.getExec(execId).resize({ w: columns, h: rows }));
  }

  async execInspect(execId: string): Promise<{ running: boolean; exitCode: number; pid: number }> {
    const found = await this.#call('ask how a command ended', () => this.#docker.getExec(execId).inspect());
    return { running: found.Running, exitCode: found.ExitCode ?? -1, pid: found.Pid };
  }

  async image(reference: string): Promise<ImageFacts | undefined> {
    const found = await this.#found(`inspect image ${reference}`, () => this.#docker.getImage(reference).inspect());
    if (found === undefined) return undefined;
    return {
      id: found.Id,
      bytes: found.Size,
      tags: found.RepoTags ?? [],
      digests: found.RepoDigests ?? [],
      user: found.Config?.User ?? '',
      volumes: Object.keys(found.Config?.Volumes ?? {}),
    };
  }

  async imageTags(pattern: string): Promise<string[]> {
    const found = await this.#call('list images', (abortSignal) =>
      this.#docker.listImages({ filters: { reference: [pattern] }, abortSignal }),
    );
    return found.flatMap(({ RepoTags }) => RepoTags ?? []);
  }

  async pull(
    reference: string,
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<PullProgress>> {
    const authconfig = credentials === undefined ? {} : { authconfig: { ...credentials, serveraddress: '' } };
    const options = { ...authconfig, abortSignal: signal };
    const stream = await this.#call(`pull ${reference}`, () => this.#docker.pull(reference, options));
    return progressIn(stream as Readable, signal);
  }

  async load(archive: Readable): Promise<void> {
    const stream = await this.#call(
      'load an image archive',
      () => this.#docker.loadImage(archive, { quiet: true }),
      loadMs,
    );
    for await (const line of jsonLines(stream as Readable)) throwIfError(line, 'load an image archive');
  }

  async tag(reference: string, repository: string, tag: string): Promise<void> {
    await this.#call(`tag image ${reference}`, (abortSignal) =>
      this.#docker.getImage(reference).tag({ repo: repository, tag, abortSignal }),
    );
  }

  async untag(reference: string): Promise<void> {
    await this.#allowing([404, 409], `remove image ${reference}`, startMs, () =>
      this.#docker.getImage(reference).remove({}),
    );
  }

  /** A call whose answer may be that there is no such thing. */
  async #found<T>(doing: string, call: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#call(doing, call);
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #allowing(
    statuses: readonly number[],
    doing: string,
    limitMs: number,
    call: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    try {
      await this.#call(doing, call, limitMs);
    } catch (error) {
      if (error instanceof EngineError && error.status !== undefined && statuses.includes(error.status)) return;
      throw error;
    }
  }

  async #call<T>(doing: string, call: (signal: AbortSignal) => Promise<T>, limitMs = this.#callMs): Promise<T> {
    const late = new AbortController();
    const { promise: timedOut, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      reject(new EngineError(`could not ${doing}: the container engine gave no answer within ${limitMs} ms`));
      late.abort();
    }, limitMs);
    try {
      // Not every call takes a signal; one that hangs is left behind.
      return await Promise.race([call(late.signal), timedOut]);
    } catch (error) {
      throw error instanceof EngineError ? error : this.#failure(doing, error);
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(doing: string, error: unknown): EngineError {
    const { statusCode, json, message, code } = error as {
      statusCode?: number;
      json?: { message?: string };
      message: string;
      code?: string;
    };
    if (statusCode !== undefined) {
      return new EngineError(`could not ${doing}: the container engine says: ${json?.message ?? message}`, statusCode);
    }
    const hint = code === 'EACCES' ? 'let the user of mu-provider use it' : 'is it running? systemctl start docker';
    return new EngineError(`could not ${doing}: no container engine at ${this.endpoint} (${code ?? message}); ${hint}`);
  }
}

function short(id: string): string {
  return id.slice(0, 12);
}
