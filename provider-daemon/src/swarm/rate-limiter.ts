/**
 * One direction of a machine's line, shared fairly among the manifests that are exchanged over it. Bytes in all and bytes
 * to or from each peer are bounded by token buckets; manifests take turns, byte for byte. Pure: the time comes with each
 * call. What waits is the caller's job to do once it is released: sending a piece, or reading on from a socket.
 */
import { TokenBucket } from './token-bucket.ts';

export interface RateLimits {
  /** bytes a second; infinite: no limit */
  readonly total: number;
  /** bytes a second of each peer, over all manifests */
  readonly perPeer: number;
  /** bytes that may go at once after a pause; a larger job waits until all of these are there */
  readonly burst: number;
}

export interface RateJob<Job> {
  readonly swarm: string;
  readonly peer: string;
  readonly bytes: number;
  readonly job: Job;
}

/** Jobs of one manifest that wait at most; a machine has no more pieces under way (`swarmLimits`). */
export const maxWaitingJobs = 512;
/** Peers whose bucket is kept; one that has filled up again is the first to be forgotten. */
export const maxBuckets = 1_024;
/** Bytes that a manifest may send in its turn, before the next one has its. */
const quantum = 65_536;

interface Lane<Job> {
  readonly jobs: RateJob<Job>[];
  /** bytes that it may still send in this turn, or has not used for want of a larger turn */
  credit: number;
}

export class RateLimiter<Job> {
  readonly #limits: RateLimits;
  readonly #total: TokenBucket;
  readonly #peers = new Map<string, TokenBucket>();
  /** by manifest, in the order of their turns */
  readonly #lanes = new Map<string, Lane<Job>>();

  /** @throws RangeError for a limit that lets nothing pass */
  constructor(limits: RateLimits) {
    this.#limits = limits;
    this.#total = new TokenBucket(limits.total, limits.burst);
  }

  /** Jobs that wait. */
  get waiting(): number {
    return [...this.#lanes.values()].reduce((sum, { jobs }) => sum + jobs.length, 0);
  }

  /** A job waits from now on. @returns false when `maxWaitingJobs` of the manifest do already */
  add(job: RateJob<Job>): boolean {
    const lane = this.#lanes.get(job.swarm) ?? { jobs: [], credit: 0 };
    if (lane.jobs.length >= maxWaitingJobs) return false;
    lane.jobs.push(job);
    this.#lanes.set(job.swarm, lane);
    return true;
  }

  /** Forgets what waits of a manifest, or of a peer in it. */
  remove(swarm: string, peer?: string): void {
    const lane = this.#lanes.get(swarm);
    if (lane === undefined) return;
    const left = peer === undefined ? [] : lane.jobs.filter((job) => job.peer !== peer);
    lane.jobs.splice(0, lane.jobs.length, ...left);
    if (left.length === 0) this.#lanes.delete(swarm);
  }

  /** The jobs whose turn has come, in this order. */
  release(nowMs: number): RateJob<Job>[] {
    const released: RateJob<Job>[] = [];
    for (;;) {
      const lane = this.#laneInTurn(nowMs);
      if (lane === undefined) return released;
      const at = lane.jobs.findIndex((job) => this.#mayGo(job, nowMs));
      const job = lane.jobs[at] as RateJob<Job>;
      if (!this.#total.has(job.bytes, nowMs)) return released;
      if (lane.credit < job.bytes) {
        lane.credit += quantum;
        this.#toTheEnd(job.swarm, lane);
        continue;
      }
      lane.credit -= job.bytes;
      lane.jobs.splice(at, 1);
      this.#total.take(job.bytes, nowMs);
      this.#bucketOf(job.peer, nowMs).take(job.bytes, nowMs);
      if (lane.jobs.length === 0) this.#lanes.delete(job.swarm);
      released.push(job);
    }
  }

  /** When `release` has something to give, if nothing is added; undefined where nothing waits. */
  nextMs(nowMs: number): number | undefined {
    let next: number | undefined;
    for (const { jobs } of this.#lanes.values()) {
      for (const { peer, bytes } of jobs) {
        const ready = Math.max(this.#total.readyMs(bytes, nowMs), this.#bucketOf(peer, nowMs).readyMs(bytes, nowMs));
        next = Math.min(next ?? ready, ready);
      }
    }
    return next;
  }

  /** The first manifest in turn one of whose peers may be sent to. */
  #laneInTurn(nowMs: number): Lane<Job> | undefined {
    for (const lane of this.#lanes.values()) if (lane.jobs.some((job) => this.#mayGo(job, nowMs))) return lane;
    return undefined;
  }

  #mayGo({ peer, bytes }: RateJob<Job>, nowMs: number): boolean {
    return this.#bucketOf(peer, nowMs).has(bytes, nowMs);
  }

  #toTheEnd(swarm: string, lane: Lane<Job>): void {
    this.#lanes.delete(swarm);
    this.#lanes.set(swarm, lane);
  }

  #bucketOf(peer: string, nowMs: number): TokenBucket {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    if (this.#peers.size >= maxBuckets) {
      const [idle] = [...this.#peers].find(([, bucket]) => bucket.isFull(nowMs)) ?? [...this.#peers][0] ?? [];
      this.#peers.delete(idle as string);
    }
    const bucket = new TokenBucket(this.#limits.perPeer, this.#limits.burst);
    this.#peers.set(peer, bucket);
    return bucket;
  }
}
