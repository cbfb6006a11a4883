/**
 * Egress of one workload, for the bill. The network counts since it was made; what has been given to the bill is a mark on
 * the disk, so that over a restart of the daemon nothing is counted twice, and what was sent meanwhile is not lost.
 */
import type { Networks } from '../../network/networks.ts';
import type { WorkloadName } from '../driver.ts';
import type { Marks } from './marks.ts';

export class EgressMeter {
  readonly #networks: Pick<Networks, 'egressBytes'>;
  readonly #marks: Marks;
  readonly #workload: WorkloadName;
  /** Of the network’s counter: what has been given. */
  #taken: bigint;
  /** Of the network’s counter: what was read last. */
  #read: bigint;
  /** Given since this meter was made. */
  #given = 0n;
  #closed = false;

  constructor(networks: Pick<Networks, 'egressBytes'>, marks: Marks, workload: WorkloadName) {
    this.#networks = networks;
    this.#marks = marks;
    this.#workload = workload;
    const mark = marks.read(markName(workload)) ?? '';
    this.#taken = /^\d+$/.test(mark) ? BigInt(mark) : 0n;
    this.#read = this.#taken;
  }

  /** Reads the network’s counter. */
  async poll(): Promise<void> {
    const counter = await this.#networks.egressBytes(this.#workload);
    if (this.#closed) return;
    // A smaller number: the network has been made anew, and counts from 0.
    if (counter < this.#read) {
      this.#given += this.#read - this.#taken;
      this.#pending += this.#read - this.#taken;
      this.#taken = 0n;
    }
    this.#read = counter;
  }

  /** Bytes of networks before this one that nobody has taken yet. */
  #pending = 0n;

  /** All since the meter was made. */
  total(): bigint {
    return this.#given + this.#read - this.#taken;
  }

  /** What came since the last time; nothing while the disk is full: it stays to be taken. */
  take(): bigint {
    const fresh = this.#read - this.#taken;
    const bytes = fresh + this.#pending;
    if (bytes > 0n && !this.#closed && !this.#marked(this.#read)) return 0n;
    this.#given += fresh;
    this.#pending = 0n;
    this.#taken = this.#read;
    return bytes;
  }

  /** Before it is given: what is given without a mark would be given again after a restart. */
  #marked(taken: bigint): boolean {
    try {
      this.#marks.write(markName(this.#workload), String(taken));
      return true;
    } catch {
      return false;
    }
  }

  /** The network goes away: no mark is needed any more. What has been read may still be taken. */
  close(): void {
    this.#closed = true;
    forgetEgress(this.#marks, this.#workload);
  }
}

export function forgetEgress(marks: Marks, workload: WorkloadName): void {
  marks.remove(markName(workload));
}

function markName({ deployment, service }: WorkloadName): string {
  return `egress-${deployment}-${service}`;
}
