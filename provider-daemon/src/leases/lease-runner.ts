/** Runs what a lease's manifest describes: functions, their routes at the gateway, databases; and counts what they use. */
import type { ManifestFunction, ManifestGateway, ManifestService } from '@mu/client/manifest/head';
import { openSection } from '@mu/client/manifest/sections';
import { deploymentLabel } from '@mu/lib/base32';
import type { Gateway } from '../gateway/gateway.ts';
import type { ManifestKey, ManifestStore, StoredManifest } from '../manifests/manifest-store.ts';
import type { Quantity } from '../usage/counters.ts';
import type { Workload, WorkloadDriver } from '../workloads/driver.ts';
import type { Databases } from './databases.ts';
import { GatewayClaims } from './gateway-claims.ts';

/** A lease and the place of its services in the manifest. */
export interface LeasePlace {
  readonly lease: bigint;
  readonly owner: string;
  readonly dseq: bigint;
  /** name of the infrastructure */
  readonly infrastructure: string;
}

interface Running {
  readonly place: LeasePlace;
  readonly revision: bigint;
  readonly functions: ReadonlyMap<string, Workload>;
  /** gateway services by their label */
  readonly gateways: ReadonlyMap<string, string>;
  readonly databases: readonly string[];
  readonly endpoints: readonly string[];
  /** the last block whose stored bytes are counted */
  countedTo: bigint;
}

export interface LeaseRunnerOptions {
  readonly driver: WorkloadDriver;
  readonly gateway: Gateway;
  readonly manifests: ManifestStore;
  readonly databases: Databases;
  /** public address of the gateway, `http://host:port` */
  readonly gatewayUri: string;
  /** deployments answer at `<label>.<domain>`; empty: at the path `/~<label>` */
  readonly domain: string;
}

export class LeaseRunner {
  readonly #options: LeaseRunnerOptions;
  readonly #running = new Map<bigint, Running>();
  /** of workloads that have stopped, not yet taken */
  readonly #left = new Map<bigint, Quantity[]>();

  readonly #claims: GatewayClaims;

  constructor(options: LeaseRunnerOptions) {
    this.#options = options;
    this.#claims = new GatewayClaims(options.gateway);
  }

  /**
   * Starts a revision; what ran before for the lease is replaced only when all of it has started.
   * @returns the addresses at which it answers
   * @throws WorkloadError, ManifestError or Refusal: nothing of it runs then
   */
  async start(place: LeasePlace, revision: bigint, height: bigint): Promise<readonly string[]> {
    const key: ManifestKey = { owner: place.owner, dseq: place.dseq, revision };
    const manifest = this.#options.manifests.load(key);
    if (manifest === undefined) throw new Error(`the manifest of revision ${revision} is not held`);
    const services = manifest.head.workloads.find((one) => one.infrastructure === place.infrastructure)?.services ?? [];
    const functions = await this.#startFunctions(place, manifest, services);
    const before = this.#running.get(place.lease);
    const running = this.#open(place, revision, { services, functions, height });
    this.#running.set(place.lease, running);
    if (before !== undefined) await this.#end(before, running.gateways);
    return running.endpoints;
  }

  /** Stops a lease's workloads. What they used stays to be taken. */
  async stop(lease: bigint): Promise<void> {
    const running = this.#running.get(lease);
    if (running === undefined) return;
    this.#running.delete(lease);
    await this.#end(running, new Map());
  }

  /** Erases what a lease that is over has stored. */
  async erase(place: LeasePlace, databases: readonly string[]): Promise<void> {
    for (const service of databases) await this.#options.databases.erase(place.lease, service);
  }

  /** Names of the databases that run for a lease. */
  databasesOf(lease: bigint): readonly string[] {
    return this.#running.get(lease)?.databases ?? [];
  }

  endpoints(lease: bigint): readonly string[] {
    return this.#running.get(lease)?.endpoints ?? [];
  }

  /** What a lease used since the last call, up to the block of this height. */
  takeUsage(lease: bigint, height: bigint): Quantity[] {
    const left = this.#left.get(lease) ?? [];
    this.#left.delete(lease);
    const running = this.#running.get(lease);
    return running === undefined ? left : [...left, ...this.#usageOf(running, height)];
  }

  async #startFunctions(
    place: LeasePlace,
    manifest: StoredManifest,
    services: readonly ManifestService[],
  ): Promise<Map<string, Workload>> {
    const started = new Map<string, Workload>();
    const key = manifest.keys.get(place.infrastructure);
    const secrets = key === undefined ? {} : openSection(manifest.head, place.infrastructure, key).env;
    try {
      for (const service of services.filter((one): one is ManifestFunction => one.type === 'MuFunction')) {
        const workload = await this.#options.driver.start({
          deployment: place.lease.toString(),
          service: service.name,
          artifact: { kind: 'wasm', bytes: manifest.readFile(service.file) },
          memoryBytes: service.memory,
          timeoutMs: service.timeout_ms,
          env: secrets[service.name] ?? {},
        });
        started.set(service.name, workload);
      }
    } catch (error) {
      await Promise.all([...started.values()].map((workload) => workload.stop()));
      throw error;
    }
    return started;
  }

  #open(
    place: LeasePlace,
    revision: bigint,
    parts: { services: readonly ManifestService[]; functions: ReadonlyMap<string, Workload>; height: bigint },
  ): Running {
    const { services, functions, height } = parts;
    const gateways = new Map<string, string>();
    for (const service of services.filter((one): one is ManifestGateway => one.type === 'MuGateway')) {
      const label = deploymentLabel(place.owner, place.dseq, service.name);
      const routes = service.routes.map(({ path, methods, function: name }) => ({
        path,
        methods: [methods].flat(),
        to: { kind: 'function' as const, name },
      }));
      this.#claims.serve(place.lease, label, {
        deployment: place.lease.toString(),
        service: service.name,
        routes,
        functions,
      });
      gateways.set(label, service.name);
    }
    const databases = services.filter(({ type }) => type === 'MuDb').map(({ name }) => name);
    for (const service of databases) this.#options.databases.table(place.lease, service);
    const endpoints = [...gateways.keys()].map((label) => this.#endpointOf(label));
    return { place, revision, functions, gateways, databases, endpoints, countedTo: height };
  }

  #endpointOf(label: string): string {
    const { gatewayUri, domain } = this.#options;
    if (domain === '') return `${gatewayUri}/~${label}`;
    const { protocol, port } = new URL(gatewayUri);
    return `${protocol}//${label}.${domain}${port === '' ? '' : `:${port}`}`;
  }

  /** @param kept gateways that go on under a newer revision */
  async #end(running: Running, kept: ReadonlyMap<string, string>): Promise<void> {
    const { lease } = running.place;
    const used: Quantity[] = [];
    for (const label of running.gateways.keys()) if (!kept.has(label)) this.#claims.release(lease, label);
    used.push(...this.#claims.takeUsage(lease));
    await Promise.all([...running.functions.values()].map((workload) => workload.stop()));
    for (const [service, workload] of running.functions) used.push(...functionUsage(service, workload));
    this.#left.set(lease, [...(this.#left.get(lease) ?? []), ...used]);
  }

  #usageOf(running: Running, height: bigint): Quantity[] {
    const used: Quantity[] = [];
    for (const [service, workload] of running.functions) used.push(...functionUsage(service, workload));
    used.push(...this.#claims.takeUsage(running.place.lease));
    const blocks = height > running.countedTo ? height - running.countedTo : 0n;
    for (const service of running.databases) {
      const bytes = this.#options.databases.storedBytes(running.place.lease, service);
      used.push({ service, metric: 'database-byte-blocks', quantity: bytes * blocks });
    }
    running.countedTo += blocks;
    return used.filter(({ quantity }) => quantity > 0n);
  }
}

function functionUsage(service: string, workload: Workload): Quantity[] {
  const { invocations, megabyteMilliseconds } = workload.takeUsage();
  return [
    { service, metric: 'function-invocations', quantity: invocations },
    { service, metric: 'function-megabyte-milliseconds', quantity: megabyteMilliseconds },
  ];
}
