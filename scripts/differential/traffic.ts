/** What the differential run does to the trees: it comes from a seed alone. */
import { createHash } from 'node:crypto';

/** Numbers from a seed, the same on every machine (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 ≤ number < below */
  next(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** Whether it happens, once in so many times. */
  once(times: number): boolean {
    return this.next(times) === 0;
  }

  bytes(length: number): Buffer {
    const out = Buffer.alloc(length);
    for (let at = 0; at < length; at += 1) out[at] = this.next(256);
    return out;
  }
}

/** A key with its new value; no value: it is removed. Keys in hex. */
export interface Operation {
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

/** Percent of removals, by turns: a tree grows, lives, shrinks. */
const removals = [15, 45, 75] as const;
const versionsOfATurn = 40;

export class Traffic {
  readonly random: Random;
  /** the keys that are there, as far as the versions that stand say */
  readonly #model: Map<string, Uint8Array>;
  readonly #accounts: number;
  #version = 0;
  /** a queue: written at its end, removed at its beginning */
  #head = 0;
  #tail = 0;

  /** @param model what is there now; whoever applies the operations keeps it */
  constructor(seed: number, model: Map<string, Uint8Array>, accounts: number) {
    this.random = new Random(seed);
    this.#model = model;
    this.#accounts = accounts;
  }

  /** The operations of a version, at most so many. */
  version(most: number): Operation[] {
    this.#version += 1;
    if (this.random.once(400)) return this.#drain().slice(0, most);
    const removes = removals[Math.floor(this.#version / versionsOfATurn) % 3] as number;
    return Array.from({ length: Math.min(most, this.#size()) }, () => this.#operation(removes));
  }

  /** A key that may be there or not. */
  key(): string {
    const kind = this.random.next(20);
    if (kind < 11) return accountKey(this.random.next(this.#accounts));
    if (kind < 14) return `01${this.random.bytes(1).toString('hex')}`;
    if (kind < 15) return this.random.bytes(1 + this.random.next(2)).toString('hex');
    // Longer than what caches of nodes have room for.
    if (kind < 16)
      return Buffer.from(`long/${this.random.next(300)}`.padEnd(60 + this.random.next(3) * 70, '~')).toString('hex');
    return queueKey(this.#head + this.random.next(Math.max(1, this.#tail - this.#head + 1)));
  }

  #size(): number {
    const kind = this.random.next(100);
    if (kind < 5) return 0;
    if (kind < 30) return 1 + this.random.next(10);
    if (kind < 80) return 10 + this.random.next(490);
    return 500 + this.random.next(2500);
  }

  #operation(removes: number): Operation {
    const removed = this.random.next(100) < removes;
    if (this.random.next(10) === 0) {
      if (!removed) return { key: queueKey(this.#tail++), value: this.#value() };
      if (this.#head < this.#tail) return { key: queueKey(this.#head++), value: undefined };
    }
    const key = this.key();
    if (removed) return { key, value: undefined };
    // A key set to its old value counts as touched.
    const old = this.random.once(8) ? this.#model.get(key) : undefined;
    return { key, value: old ?? this.#value() };
  }

  #value(): Buffer {
    if (this.random.once(50)) return this.random.bytes(500 + this.random.next(1500));
    if (this.random.once(50)) return Buffer.alloc(0);
    return this.random.bytes(1 + this.random.next(60));
  }

  /** Everything is removed. */
  #drain(): Operation[] {
    return [...this.#model.keys()].map((key) => ({ key, value: undefined }));
  }
}

function accountKey(number: number): string {
  return `02${createHash('sha256').update(String(number)).digest('hex').slice(0, 40)}`;
}

function queueKey(number: number): string {
  return `03${number.toString(16).padStart(16, '0')}`;
}
