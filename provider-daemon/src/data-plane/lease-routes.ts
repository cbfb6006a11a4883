/** The routes to a lease's own instances: one for each workload and port, for relays, tunnels and neighbours alike. */
import { InstanceRoute } from '../network/instance-route.ts';
import type { ServedWorkload } from './plane.ts';

export class LeaseRoutes {
  readonly #routes = new Map<
    string,
    { readonly service: string; readonly port: number; readonly route: InstanceRoute }
  >();
  #workloads: readonly ServedWorkload[] = [];

  /** It leads to the workload's ready instances, wherever they are placed. */
  of(service: string, port: number): InstanceRoute {
    const key = `${port} ${service}`;
    const known = this.#routes.get(key);
    if (known !== undefined) return known.route;
    const route = new InstanceRoute(this.#addresses(service, port));
    this.#routes.set(key, { service, port, route });
    return route;
  }

  /** Where the workloads answer now. Open connections stay. */
  place(workloads: readonly ServedWorkload[]): void {
    this.#workloads = workloads;
    for (const { service, port, route } of this.#routes.values()) route.update(this.#addresses(service, port));
  }

  #addresses(service: string, port: number): { readonly address: string; readonly port: number }[] {
    const instances = this.#workloads.find((one) => one.service === service)?.instances ?? [];
    return instances.filter(({ ready }) => ready).map(({ address }) => ({ address, port }));
  }
}
