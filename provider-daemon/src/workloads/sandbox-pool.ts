/** Sandbox processes that are warm before they are needed: a start takes hundreds of milliseconds, a call a few. */
import { WorkloadError } from './driver.ts';
import { SandboxProcess, type SandboxSettings } from './sandbox-process.ts';

const closed = () => new WorkloadError('stopped', 'the driver is closed');

export class SandboxPool {
  readonly #settings: SandboxSettings;
  readonly #spareCount: number;
  readonly #all = new Set<SandboxProcess>();
  #spares: SandboxProcess[] = [];
  #closed = false;

  constructor(settings: SandboxSettings, spareCount: number) {
    this.#settings = settings;
    this.#spareCount = spareCount;
  }

  /** Starts the spares; resolves when the first is warm. @throws WorkloadError `failed` where none can be started */
  async warmUp(): Promise<void> {
    const first = this.#spawn();
    try {
      await first.ready();
    } catch (error) {
      await first.exited();
      throw error;
    }
    this.#keep(first);
    this.#refill();
  }

  /** A process that has run nothing yet. It may still be warming up. */
  take(): SandboxProcess {
    if (this.#closed) throw closed();
    this.#spares = this.#spares.filter(({ alive }) => alive);
    const process = this.#spares.shift() ?? this.#spawn();
    // One that takes its place begins only when this one is warm: two at once would both be slow.
    const refill = () => this.#refill();
    process.ready().then(refill, refill);
    return process;
  }

  /** Live processes, spares included. */
  get size(): number {
    return this.#all.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#all];
    for (const process of all) process.kill(closed());
    await Promise.all(all.map((process) => process.exited()));
  }

  #refill(): void {
    if (this.#closed || this.#spares.length >= this.#spareCount) return;
    const spare = this.#spawn();
    this.#keep(spare);
    // A spare that cannot be started is not tried again by itself: the next `take` does, and says why.
    spare.ready().then(
      () => this.#refill(),
      () => {},
    );
  }

  #keep(process: SandboxProcess): void {
    this.#spares.push(process);
    void process.exited().then(() => {
      this.#spares = this.#spares.filter((other) => other !== process);
    });
  }

  #spawn(): SandboxProcess {
    const process = new SandboxProcess(this.#settings);
    this.#all.add(process);
    void process.exited().then(() => this.#all.delete(process));
    return process;
  }
}
