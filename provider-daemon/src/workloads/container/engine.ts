/** What the container driver needs of a container engine, and no more; docker-engine.ts gives it by dockerode. */
import type { Duplex, Readable } from 'node:stream';
import type { ContainerCreateOptions } from 'dockerode';
import { WorkloadError } from '../driver.ts';

/** `POST /containers/create` without the name. */
export type CreateBody = Omit<ContainerCreateOptions, 'name' | 'abortSignal'>;

/** The engine refused or does not answer. A person reads the message: what was tried, what came, what to do. */
export class EngineError extends WorkloadError {
  /** HTTP status of its answer; absent where there was none. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super('failed', message);
    this.status = status;
  }

  /** The engine itself cannot be reached; nothing is known of what was asked. */
  get gone(): boolean {
    return this.status === undefined;
  }
}

export interface EngineFacts {
  readonly version: string;
  /** As images name it: `amd64`, `arm64`. */
  readonly architecture: string;
  /** Where it stores images and containers. */
  readonly rootFolder: string;
  /** Containers get its default seccomp profile. */
  readonly seccomp: boolean;
  /** Containers that ask for no runtime get one of NVIDIA’s: it hands over what a container’s environment names. */
  readonly nvidiaForAll: boolean;
}

export type ContainerPhase = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

/** A container as `inspect` tells it. */
export interface ContainerFacts {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: ContainerPhase;
  /** Of its first process, in the engine's process namespace; 0 while it does not run. */
  readonly pid: number;
  readonly exitCode: number;
  /** Some process of it was killed at the memory limit, in this run or the last. */
  readonly memoryKill: boolean;
  /** Why it could not be started; empty otherwise. */
  readonly error: string;
  /** Milliseconds since 1970; 0 where it has never been. */
  readonly startedMs: number;
  /** How often the engine has started it again by itself. */
  readonly restarts: number;
}

export interface ImageFacts {
  /** Of the image's configuration, `sha256:…`. */
  readonly id: string;
  /** Unpacked. */
  readonly bytes: number;
  readonly tags: readonly string[];
  /** `name@sha256:…` under which it was pulled. */
  readonly digests: readonly string[];
  readonly user: string;
  /** Paths that the image declares as volumes. */
  readonly volumes: readonly string[];
}

export interface EngineEvent {
  readonly action: string;
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One line of a pull's progress. */
export interface PullProgress {
  /** The layer, or nothing where the line is about the image. */
  readonly layer: string | undefined;
  readonly status: string;
  readonly current: number;
  readonly total: number;
}

/** What `stats` tells of one container. */
export interface RawStats {
  readonly cpuNanos: number;
  readonly memoryBytes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
}

/** Every method throws EngineError; each has a time limit, streams once they have begun none. */
export interface Engine {
  /** Where it is, for messages. */
  readonly endpoint: string;
  facts(): Promise<EngineFacts>;

  /** Ids and labels of containers, running or not, that have all of `labels` (`name=value`, or the name alone). */
  list(labels: readonly string[]): Promise<readonly { id: string; labels: Readonly<Record<string, string>> }[]>;
  inspect(id: string): Promise<ContainerFacts | undefined>;
  /** @returns its id */
  create(name: string, body: CreateBody): Promise<string>;
  /** Nothing where it runs already. */
  start(id: string): Promise<void>;
  /** SIGTERM (or the image's own signal), SIGKILL after `graceSeconds`; nothing where it does not run or exist. */
  stop(id: string, graceSeconds: number): Promise<void>;
  /** With its anonymous volumes, at once; nothing where it does not exist. */
  remove(id: string): Promise<void>;
  stats(id: string): Promise<RawStats>;
  /** Multiplexed stdout and stderr with time stamps, from a time (`seconds.nanoseconds`) on; ends when it stops. */
  logs(id: string, since: string | undefined): Promise<Readable>;
  /** JSON lines about containers with the label. */
  events(label: string, signal: AbortSignal): Promise<AsyncIterable<EngineEvent>>;

  execCreate(id: string, options: ExecOptions): Promise<string>;
  execStart(execId: string, tty: boolean): Promise<Duplex>;
  execResize(execId: string, columns: number, rows: number): Promise<void>;
  execInspect(execId: string): Promise<{ running: boolean; exitCode: number; pid: number }>;

  image(reference: string): Promise<ImageFacts | undefined>;
  /** `repository:tag` of images in repositories that match a pattern (`mu/x/*`). */
  imageTags(pattern: string): Promise<readonly string[]>;
  pull(
    reference: string,
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<AsyncIterable<PullProgress>>;
  /** Loads an archive in Docker's form. */
  load(archive: Readable): Promise<void>;
  tag(reference: string, repository: string, tag: string): Promise<void>;
  /** Takes a name away; the last one takes the image with it. Nothing where it is not, or a container still uses it. */
  untag(reference: string): Promise<void>;
}
