/** A container engine in memory: what is made, started and removed, and calls that fail when a test says so. */
import { PassThrough, type Readable } from 'node:stream';
import {
  type ContainerFacts,
  type CreateBody,
  type Engine,
  EngineError,
  type EngineEvent,
  type ImageFacts,
} from '../../../src/workloads/container/engine.ts';

interface Made {
  readonly id: string;
  readonly name: string;
  readonly labels: Record<string, string>;
  startedMs: number;
  isRunning: boolean;
}

export class MemoryEngine implements Engine {
  readonly endpoint = 'memory';
  readonly containers = new Map<string, Made>();
  /** `name argument` of each call that changes something */
  readonly calls: string[] = [];
  /** Asked before each call; one that gives an error fails by it. */
  refuse: (call: string) => EngineError | undefined = () => undefined;
  #made = 0;
  #endEvents: () => void = () => {};

  async facts() {
    return { version: '0', architecture: 'amd64', rootFolder: '/', seccomp: true, nvidiaForAll: false };
  }

  async list(labels: readonly string[]) {
    this.#ask('list');
    return [...this.containers.values()].filter((one) =>
      labels.every((label) => {
        const [name = '', value] = label.split('=');
        return value === undefined ? name in one.labels : one.labels[name] === value;
      }),
    );
  }

  async inspect(id: string): Promise<ContainerFacts | undefined> {
    this.#ask(`inspect ${id}`);
    const found = this.containers.get(id);
    if (found === undefined) return undefined;
    const { labels, startedMs, isRunning } = found;
    const phase = isRunning ? 'running' : startedMs === 0 ? 'created' : 'exited';
    return { id, labels, phase, pid: 1, exitCode: 0, memoryKill: false, error: '', startedMs, restarts: 0 };
  }

  async create(name: string, { Labels: labels = {} }: CreateBody): Promise<string> {
    this.#ask(`create ${labels['mu.service']}`);
    this.#made += 1;
    const id = `made-${this.#made}`;
    this.containers.set(id, { id, name, labels, startedMs: 0, isRunning: false });
    return id;
  }

  async start(id: string): Promise<void> {
    this.#ask(`start ${id}`);
    const found = this.containers.get(id);
    if (found === undefined) throw new EngineError('no such container', 404);
    if (!found.isRunning) found.startedMs = Date.now();
    found.isRunning = true;
  }

  async stop(id: string): Promise<void> {
    this.#ask(`stop ${id}`);
    const found = this.containers.get(id);
    if (found !== undefined) found.isRunning = false;
  }

  async remove(id: string): Promise<void> {
    this.#ask(`remove ${id}`);
    this.containers.delete(id);
  }

  async stats() {
    return { cpuNanos: 0, memoryBytes: 0, receivedBytes: 0, sentBytes: 0 };
  }

  async logs(): Promise<Readable> {
    const stream = new PassThrough();
    stream.end();
    return stream;
  }

  async events(_label: string, signal: AbortSignal): Promise<AsyncIterable<EngineEvent>> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endEvents = resolve;
    signal.addEventListener('abort', () => resolve(), { once: true });
    const next = async (): Promise<IteratorResult<EngineEvent>> => {
      await promise;
      return { done: true, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  /** Whoever follows reads everything anew. */
  endEvents(): void {
    this.#endEvents();
  }

  async execCreate(id: string): Promise<string> {
    this.#ask(`exec ${id}`);
    return 'exec-1';
  }

  readonly terminal = new PassThrough();

  async execStart(): Promise<PassThrough> {
    return this.terminal;
  }

  async execResize(): Promise<void> {}

  async execInspect() {
    this.#ask('inspect exec');
    return { running: true, exitCode: -1, pid: 0 };
  }

  async image(): Promise<ImageFacts> {
    return { id: 'image', bytes: 1, tags: [], digests: [], user: '1000', volumes: [] };
  }

  async imageTags(): Promise<string[]> {
    return [];
  }

  async pull(): Promise<never> {
    throw new EngineError('nothing is pulled', 500);
  }

  async load(): Promise<void> {}
  async tag(): Promise<void> {}
  async untag(): Promise<void> {}

  #ask(call: string): void {
    const refused = this.refuse(call);
    if (refused !== undefined) throw refused;
    if (!/^(list|inspect)/.test(call)) this.calls.push(call);
  }
}
