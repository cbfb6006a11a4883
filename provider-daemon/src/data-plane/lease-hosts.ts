/**
 * Host names of tenants' own at the data plane: which of those that leases want are proved now, and what their tenants
 * are told. It goes on while the daemon is away.
 */
import type { HostBook, HostStatus } from '../gateway/hosts.ts';
import type { WorkloadLog } from '../workloads/driver.ts';
import type { ServedGateway } from './plane.ts';

export interface LeaseHostsOptions {
  /** Makes the book, which calls back with the deployment whose names have changed. */
  readonly book: (onChange: (deployment: string) => void) => HostBook;
  readonly log: WorkloadLog;
  /** Proofs cannot be kept; it is tried again. */
  readonly onTrouble: (error: unknown) => void;
  /** Other names of this lease are proved now. */
  readonly onChange: (lease: string) => void;
}

interface Wish {
  readonly deployment: string;
  readonly gateways: readonly ServedGateway[];
}

export class LeaseHosts {
  readonly #book: HostBook;
  readonly #options: LeaseHostsOptions;
  readonly #wishes = new Map<string, Wish>();
  /** What a tenant was told last, by lease and host. */
  readonly #told = new Map<string, Map<string, string>>();

  constructor(options: LeaseHostsOptions) {
    this.#options = options;
    this.#book = options.book((deployment) => {
      for (const [lease, wish] of this.#wishes) if (wish.deployment === deployment) options.onChange(lease);
    });
  }

  /** The names that the gateways of a lease want from now on. Those that are new are looked at soon. */
  set(lease: string, wish: Wish): void {
    const before = this.#wishes.get(lease);
    this.#wishes.set(lease, wish);
    if (before === undefined && wish.gateways.every(({ hosts }) => hosts.length === 0)) return;
    this.#want(wish.deployment);
    void this.check();
  }

  /** A lease is served no more: names that no other lease of its deployment wants are free. */
  drop(lease: string): void {
    const wish = this.#wishes.get(lease);
    this.#wishes.delete(lease);
    this.#told.delete(lease);
    if (wish === undefined) return;
    const isLast = [...this.#wishes.values()].every(({ deployment }) => deployment !== wish.deployment);
    if (isLast) this.#book.forget(wish.deployment);
    else this.#want(wish.deployment);
  }

  /** Those names of a gateway that are proved. */
  proved(lease: string, { hosts }: ServedGateway): string[] {
    if (hosts.length === 0) return [];
    const served = this.#book.served(this.#wishes.get(lease)?.deployment ?? '');
    return hosts.filter((host) => served.includes(host));
  }

  /** Looks at the names that are due, and tells tenants what is new. Never rejects. */
  async check(): Promise<void> {
    await this.#book.check().catch(this.#options.onTrouble);
    for (const [lease, { deployment, gateways }] of this.#wishes) {
      const statuses = this.#book.status(deployment);
      for (const gateway of gateways) this.#tell(lease, gateway, statuses);
    }
  }

  #want(deployment: string): void {
    const own = [...this.#wishes.values()].filter((wish) => wish.deployment === deployment);
    this.#book.want(deployment, [...new Set(own.flatMap(({ gateways }) => gateways.flatMap(({ hosts }) => hosts)))]);
  }

  #tell(lease: string, { service, hosts }: ServedGateway, statuses: readonly HostStatus[]): void {
    const told = this.#told.get(lease) ?? new Map<string, string>();
    this.#told.set(lease, told);
    for (const status of statuses.filter(({ host }) => hosts.includes(host))) {
      const line = lineOf(status);
      if (told.get(status.host) === line) continue;
      told.set(status.host, line);
      this.#options.log({ deployment: lease, service }, 'system', line);
    }
  }
}

function lineOf({ host, state, reason }: HostStatus): string {
  if (state === 'served') return `the host name ${host} is proved and served`;
  return `the host name ${host} is not served${state === 'waiting' ? ' yet' : ''}: ${reason}`;
}
