/** The public addresses of a lease: at the gateway by HTTP, and at ports of its own by TCP and UDP. */
import type { ServedRelay } from '../data-plane/plane.ts';
import { WorkloadError } from '../workloads/driver.ts';
import type { LeasePlan } from './plan.ts';
import type { PublicConnection, PublicPorts } from './public-ports.ts';

/** What the chain takes of a lease's endpoints (x/market's parameters max_endpoints and max_endpoint_bytes). */
export const maxEndpoints = 4;
export const maxEndpointBytes = 128;

export interface DoorsOptions {
  /** public address of the gateway, `http://host:port` */
  readonly gatewayUri: string;
  /** deployments answer at `<label>.<domain>`; empty: at the path `/~<label>` */
  readonly domain: string;
  /** Undefined: none are offered. */
  readonly ports?: { readonly book: PublicPorts; readonly listenAddress: string };
}

export interface OpenDoors {
  /** As the chain shows them. */
  readonly endpoints: readonly string[];
  /** What the data plane listens at for the public ports. */
  readonly relays: readonly ServedRelay[];
}

type Wanted = Pick<LeasePlan, 'gateways' | 'publicConnections'>;

export class Doors {
  readonly #options: DoorsOptions;

  constructor(options: DoorsOptions) {
    this.#options = options;
  }

  /**
   * The addresses that a plan asks for: the same for a lease whenever it is asked.
   * @throws WorkloadError `invalid` for more or longer ones than the chain takes, or ports where none are offered;
   * `busy` where all ports are taken
   */
  of(lease: bigint, { gateways, publicConnections }: Wanted): OpenDoors {
    const wanted = gateways.length + publicConnections.length;
    if (wanted > maxEndpoints) {
      const problem = `${wanted} public addresses, gateways and global connections together`;
      throw new WorkloadError('invalid', `${problem}: the chain takes ${maxEndpoints} of a lease`);
    }
    const open = publicConnections.map((connection) => this.#open(lease, connection));
    const endpoints = [...gateways.map(({ label }) => this.#gatewayOf(label)), ...open.map(({ endpoint }) => endpoint)];
    const long = endpoints.find((endpoint) => endpoint.length > maxEndpointBytes);
    if (long !== undefined) {
      const problem = `the public address ${long} has ${long.length} bytes: the chain takes ${maxEndpointBytes}`;
      throw new WorkloadError('invalid', `${problem}; the operator must shorten gateway.domain or gateway.uri`);
    }
    return { endpoints, relays: open.map(({ relay }) => relay) };
  }

  /** This plan runs now: ports of connections that it does not have are free. */
  settle(lease: bigint, { publicConnections }: Pick<Wanted, 'publicConnections'>): void {
    this.#options.ports?.book.keepOnly(lease, publicConnections);
  }

  /** A lease is over. */
  free(lease: bigint): void {
    this.#options.ports?.book.keepOnly(lease, []);
  }

  /** Leases that have ports. */
  leases(): readonly bigint[] {
    return this.#options.ports?.book.leases() ?? [];
  }

  #open(lease: bigint, wanted: PublicConnection): { readonly endpoint: string; readonly relay: ServedRelay } {
    const { ports, gatewayUri } = this.#options;
    const { service, connection, protocol } = wanted;
    if (ports === undefined)
      throw new WorkloadError(
        'invalid',
        `${service}: no public ports for the connection ${connection} are offered here`,
      );
    const port = ports.book.claim(lease, wanted);
    return {
      endpoint: `${protocol}://${new URL(gatewayUri).hostname}:${port}`,
      relay: {
        listen: { address: ports.listenAddress, port },
        protocol,
        to: { service, port: wanted.port },
        metered: true,
      },
    };
  }

  #gatewayOf(label: string): string {
    const { gatewayUri, domain } = this.#options;
    if (domain === '') return `${gatewayUri}/~${label}`;
    const { protocol, port } = new URL(gatewayUri);
    return `${protocol}//${label}.${domain}${port === '' ? '' : `:${port}`}`;
  }
}
