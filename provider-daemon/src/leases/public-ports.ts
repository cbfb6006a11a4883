/**
 * Public ports of this provider: one for each connection with scope global and protocol tcp or udp. A port is chosen once
 * and kept in the journal, so that the address survives restarts and updates; it is free again when its lease is over.
 */
import { createHash } from 'node:crypto';
import type { PortRange } from '../config/port-range.ts';
import type { ProviderConfig } from '../config/schema.ts';
import type { Journal, PortRecord, Table } from '../journal/journal.ts';
import { WorkloadError } from '../workloads/driver.ts';

/** A connection that anybody may make to a workload. */
export interface PublicConnection {
  readonly service: string;
  /** Name of the connection. */
  readonly connection: string;
  readonly protocol: 'tcp' | 'udp';
  /** Of the workload. */
  readonly port: number;
}

export type PortKey = Pick<PortRecord, 'protocol' | 'port'>;

export interface PublicPortsOptions {
  /** Undefined: none are offered. */
  readonly range: PortRange | undefined;
  readonly table: Table<PortKey, PortRecord>;
}

export class PublicPorts {
  readonly #options: PublicPortsOptions;

  constructor(options: PublicPortsOptions) {
    this.#options = options;
  }

  /**
   * The public port of a connection: the one that it has, or one that is free.
   * @throws WorkloadError `invalid` where none are offered, `busy` where all are taken
   */
  claim(lease: bigint, { service, connection, protocol }: PublicConnection): number {
    const { range, table } = this.#options;
    if (range === undefined) {
      const problem = `${service}: the connection ${connection} is global, but this provider offers no public ${protocol} ports`;
      throw new WorkloadError('invalid', `${problem}: choose another provider, or the protocol http`);
    }
    const all = table.all();
    const isOwn = (one: PortRecord) =>
      one.lease === lease && one.service === service && one.connection === connection && one.protocol === protocol;
    const known = all.find((one) => isOwn(one) && one.port >= range.first && one.port <= range.last);
    if (known !== undefined) return known.port;
    const taken = new Set(all.filter((one) => one.protocol === protocol).map(({ port }) => port));
    const port = freePort(range, taken, `${lease}/${service}/${connection}/${protocol}`);
    if (port === undefined) {
      throw new WorkloadError(
        'busy',
        `all public ${protocol} ports of this provider are taken, ${count(range)} in all`,
      );
    }
    table.put({ protocol, port }, { protocol, port, lease, service, connection });
    return port;
  }

  /** Ports of a lease's connections that are not among these are free. */
  keepOnly(lease: bigint, connections: readonly PublicConnection[]): void {
    const { table } = this.#options;
    for (const record of table.all()) {
      if (record.lease !== lease) continue;
      const { service, connection, protocol } = record;
      const isKept = connections.some(
        (one) => one.service === service && one.connection === connection && one.protocol === protocol,
      );
      if (!isKept) table.delete(record);
    }
  }

  /** Leases that have ports. */
  leases(): bigint[] {
    return [...new Set(this.#options.table.all().map(({ lease }) => lease))];
  }
}

const count = ({ first, last }: PortRange): number => last - first + 1;

/**
 * Begins at a place of the connection's own, so that a port that has become free is not the next one's at once: clients of
 * the old one may still call.
 */
function freePort(range: PortRange, taken: ReadonlySet<number>, name: string): number | undefined {
  const size = count(range);
  const start = createHash('sha256').update(name).digest().readUInt32BE() % size;
  for (let i = 0; i < size; i += 1) {
    const port = range.first + ((start + i) % size);
    if (!taken.has(port)) return port;
  }
  return undefined;
}

/** @throws Error where another listener of the provider has one of the ports */
export function publicPortRange({ gateway, host, metrics }: ProviderConfig): PortRange | undefined {
  const { ports } = gateway;
  if (ports === 'none') return undefined;
  const own = { 'gateway.port': gateway.port, 'gateway.http_port': gateway.httpPort };
  for (const [name, port] of Object.entries({ ...own, 'host.port': host.port, 'metrics.port': metrics.port })) {
    if (port < ports.first || port > ports.last) continue;
    throw new Error(`gateway.ports = "${ports.first}-${ports.last}" contains ${name} = ${port}: choose another range`);
  }
  return ports;
}

/** The public ports that a config offers, kept in the journal. @throws Error as `publicPortRange` */
export function publicPorts(config: ProviderConfig, { ports: table }: Pick<Journal, 'ports'>) {
  return {
    book: new PublicPorts({ range: publicPortRange(config), table }),
    listenAddress: config.gateway.address,
  };
}
