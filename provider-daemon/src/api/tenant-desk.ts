/** All that is kept for tenants to look at: logs, events and the progress of starts, each lease by itself. */
import { join } from 'node:path';
import { toHex } from '@mu/lib/bytes';
import type { UsageReport } from '@mu/proto/billing';
import type { RequestLog } from '../usage/request-log.ts';
import type { WorkloadLog } from '../workloads/driver.ts';
import { EventBook } from './event-book.ts';
import { InstanceWatch } from './instance-watch.ts';
import { LeaseTeller } from './lease-teller.ts';
import { LogBook } from './log-book.ts';
import type { LogLine } from './sources.ts';

export interface TenantDeskOptions {
  readonly folder: string;
  /** What usage reports commit to. */
  readonly requests: RequestLog;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Lines begin to be lost (with why), or are kept again. */
  readonly onTrouble: (lease: bigint, error: unknown) => void;
}

/** Whose lines these are: a lease's own, of no service. Services' names are not empty. */
const ofLease = '';
const rootText = 'the request lines since the last line like this one have the root ';

/** True for the line behind the request lines of a period: what stands before it, up to the one before, was reported. */
export function isRootLine({ service, stream, line }: Pick<LogLine, 'service' | 'stream' | 'line'>): boolean {
  return service === ofLease && stream === 'system' && line.startsWith(rootText);
}

export class TenantDesk {
  readonly logs: LogBook;
  readonly events: EventBook;
  readonly teller: LeaseTeller;
  readonly instances: InstanceWatch;
  readonly #requests: RequestLog;

  constructor({ folder, requests, now, onTrouble }: TenantDeskOptions) {
    this.logs = new LogBook({ folder: join(folder, 'logs'), now, onTrouble });
    this.events = new EventBook({ folder: join(folder, 'events'), now, onTrouble });
    const emit: EventBook['append'] = (lease, event) => this.events.append(lease, event);
    this.teller = new LeaseTeller({ emit, now });
    this.instances = new InstanceWatch(emit);
    this.#requests = requests;
  }

  /** After a start: the request lines that no report commits to yet. To be called before new ones come. */
  async restore(): Promise<void> {
    const { signal } = new AbortController();
    for (const lease of await this.logs.leases()) {
      let open: string[] = [];
      for await (const line of this.logs.read(lease, { streams: ['request', 'system'], follow: false, signal })) {
        if (isRootLine(line)) open = [];
        else if (line.stream === 'request') open.push(line.line);
      }
      for (const line of open) this.#requests.append(lease, line);
    }
  }

  /** What workloads write, and what is said about them. */
  readonly log: WorkloadLog = ({ deployment, service }, stream, line, event) => {
    const lease = BigInt(deployment);
    // What is committed to is what can be fetched.
    if (stream === 'request') this.#requests.append(lease, this.logs.cut(line));
    if (stream === 'system') this.teller.line(lease, service, line);
    if (event !== undefined) this.events.append(lease, { ...event, service });
    this.logs.append(lease, { service, stream, line });
  };

  /** The root of the request lines since the last call, for a report; the log says where they end. */
  takeLogRoot(lease: bigint): Uint8Array {
    const root = this.#requests.takeRoot(lease);
    this.logs.append(lease, { service: ofLease, stream: 'system', line: `${rootText}${toHex(root)}` });
    return root;
  }

  reported({ lease, sequence, fromHeight, toHeight, logRoot }: UsageReport): void {
    this.events.append(lease, {
      type: 'usage-reported',
      sequence: sequence.toString(),
      from_height: fromHeight.toString(),
      to_height: toHeight.toString(),
      log_root: toHex(logRoot),
    });
  }

  /** A lease that is over: what was kept is erased, and streams of it end. */
  async forget(lease: bigint): Promise<void> {
    this.#requests.forget(lease);
    this.teller.forget(lease);
    this.instances.forget(lease);
    await Promise.all([this.logs.forget(lease), this.events.forget(lease)]);
  }

  /** Leases of which something is kept. */
  async leases(): Promise<ReadonlySet<bigint>> {
    return new Set([...(await this.logs.leases()), ...(await this.events.leases())]);
  }

  /** Erases what is left of leases that are none of these. */
  async keepOnly(live: ReadonlySet<bigint>): Promise<void> {
    await Promise.all([this.logs.keepOnly(live), this.events.keepOnly(live)]);
  }

  /** Brings everything to the disk. */
  async settled(): Promise<void> {
    await Promise.all([this.logs.settled(), this.events.settled()]);
  }
}
