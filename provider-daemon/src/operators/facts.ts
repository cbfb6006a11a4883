/**
 * What the daemon looks at now and then for its operator, beside its work: node, view, balances, registration, engine, data
 * plane. Each part is asked for by itself, in time, and what it told last stays until it tells again; nobody who reads
 * figures waits for a chain that is away.
 */
import { messageOf } from '@mu/lib/error-message';
import type { Node, Provider } from '@mu/proto/provider';
import type { PlaneFigures } from '../data-plane/plane.ts';
import type { BidOutcomes } from './bid-tally.ts';

/** The newest block of the node. */
export interface NodeFacts {
  readonly height: number;
  /** in its header, milliseconds since 1970 */
  readonly blockTimeMs: number;
  readonly catchingUp: boolean;
}

/** The newest block that is proved. */
export interface ViewFacts {
  readonly height: number;
  readonly blockTimeMs: number;
}

/** In the base denomination. */
export interface Balances {
  readonly owner: bigint;
  readonly operator: bigint;
}

/** What stands on the chain of this provider. */
export interface Registry {
  /** undefined: not registered */
  readonly provider: Provider | undefined;
  /** this node; undefined: not entered */
  readonly node: Node | undefined;
  /** blocks that the market reckons a year with */
  readonly blocksPerYear: bigint;
}

export interface EngineState {
  readonly up: boolean;
  /** why it is not; empty while it is */
  readonly reason: string;
}

/** The data plane's process. */
export interface PlaneFacts {
  readonly up: boolean;
  readonly pid?: number;
  readonly version?: number;
  /** when its process began, milliseconds since 1970; absent where the system does not tell */
  readonly startedMs?: number;
  /** since its process began; absent where it speaks another version */
  readonly figures?: PlaneFigures;
}

export interface Facts {
  readonly node: NodeFacts;
  readonly view: ViewFacts;
  readonly balances: Balances;
  readonly registry: Registry;
  readonly bids: BidOutcomes;
  readonly engine: EngineState;
  readonly plane: PlaneFacts;
}

export type Part = keyof Facts;

/** How a part is asked for; one that fails keeps what it told last. */
export type Asking = { readonly [K in Part]?: { readonly everyMs: number; readonly ask: () => Promise<Facts[K]> } };

export interface FactsOptions {
  readonly asking: Asking;
  /** milliseconds since 1970 */
  readonly now: () => number;
  /** The longest that a part is waited for; it goes on, and is asked again when it has ended. */
  readonly limitMs?: number;
}

interface Kept {
  value?: unknown;
  /** when it was told */
  atMs?: number;
  trouble?: string;
  askedMs?: number;
  isAsked: boolean;
}

const defaultLimitMs = 10_000;
const tickMs = 1_000;

export class FactsKeeper {
  readonly #options: FactsOptions;
  readonly #kept = new Map<Part, Kept>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FactsOptions) {
    this.#options = options;
    for (const part of Object.keys(options.asking) as Part[]) this.#kept.set(part, { isAsked: false });
  }

  /** What a part told last; undefined before it told anything. */
  get<K extends Part>(part: K): Facts[K] | undefined {
    return this.#kept.get(part)?.value as Facts[K] | undefined;
  }

  /** Why a part does not tell now; undefined while it does. */
  trouble(part: Part): string | undefined {
    return this.#kept.get(part)?.trouble;
  }

  /** When a part told something last, in milliseconds since 1970. */
  toldMs(part: Part): number | undefined {
    return this.#kept.get(part)?.atMs;
  }

  /** Asks for what is due, all at the same time. Never throws. */
  async look(): Promise<void> {
    const { asking, now } = this.#options;
    const due = [...this.#kept].filter(([part, { isAsked, askedMs }]) => {
      const everyMs = asking[part]?.everyMs ?? 0;
      if (isAsked || askedMs === undefined) return !isAsked;
      const agoMs = now() - askedMs;
      // Below 0: the clock was set back, and nobody knows how long ago it was.
      return agoMs >= everyMs || agoMs < 0;
    });
    await Promise.all(due.map(([part, kept]) => this.#ask(part, kept)));
  }

  /** Looks now and then, until `stop`. */
  start(): void {
    this.#timer = setInterval(() => void this.look(), tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #ask(part: Part, kept: Kept): Promise<void> {
    const { asking, now, limitMs = defaultLimitMs } = this.#options;
    kept.isAsked = true;
    kept.askedMs = now();
    const answer = Promise.resolve()
      .then((): Promise<unknown> | undefined => asking[part]?.ask())
      .then(
        (value) => Object.assign(kept, { value, atMs: now(), trouble: undefined }),
        (error: unknown) => Object.assign(kept, { trouble: messageOf(error) }),
      )
      .finally(() => {
        kept.isAsked = false;
      });
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      if (kept.isAsked) kept.trouble = `it has not answered for ${limitMs} ms`;
      late.resolve();
    }, limitMs);
    await Promise.race([answer, late.promise]);
    clearTimeout(timer);
  }
}
