/** Which deployment a request is for: by its host, or by the first segment of its path. */
import { type Refusal, refusals } from './answers.ts';
import { isAddress } from './target.ts';

export type Found<D> =
  | { readonly deployment: D; readonly path: string; readonly prefix: string }
  | { readonly refusal: Refusal };

interface Entry<D> {
  readonly deployment: D;
  readonly hosts: readonly string[];
}

export class Signpost<D> {
  readonly #domain: string | undefined;
  readonly #byLabel = new Map<string, Entry<D>>();
  /** Hosts of tenants' own → label. */
  #byHost = new Map<string, string>();

  constructor(domain: string | undefined) {
    this.#domain = domain;
  }

  get(label: string): D | undefined {
    return this.#byLabel.get(label)?.deployment;
  }

  set(label: string, deployment: D, hosts: readonly string[]): void {
    this.#byLabel.set(label, { deployment, hosts: hosts.map((host) => host.toLowerCase().replace(/\.$/, '')) });
    this.#indexHosts();
  }

  delete(label: string): void {
    this.#byLabel.delete(label);
    this.#indexHosts();
  }

  labels(): string[] {
    return [...this.#byLabel.keys()];
  }

  all(): D[] {
    return [...this.#byLabel.values()].map(({ deployment }) => deployment);
  }

  /** All host names that are served. */
  names(): string[] {
    const own = this.#domain === undefined ? [] : this.labels().map((label) => `${label}.${this.#domain}`);
    return [...own, ...this.#byHost.keys()];
  }

  /** @param name the Host in lower case, without its port */
  find(name: string | undefined, path: string): Found<D> {
    const isOwn = this.#domain !== undefined && name?.endsWith(`.${this.#domain}`) === true;
    const label = isOwn ? name!.slice(0, -this.#domain!.length - 1) : this.#byHost.get(name ?? '');
    const byHost = this.get(label ?? '');
    if (byHost !== undefined) return { deployment: byHost, path, prefix: '' };
    if (isOwn) return { refusal: refusals.noDeployment };
    // Where deployments have hosts, a path leads to them only where no other host is meant: not on anybody's name.
    if (this.#domain !== undefined && name !== undefined && !isAddress(name)) return { refusal: refusals.unknownHost };
    const prefix = /^\/~([a-z0-9]+)(?=\/|$)/.exec(path);
    const byPath = this.get(prefix?.[1] ?? '');
    if (prefix === null || byPath === undefined) return { refusal: refusals.noDeployment };
    const rest = path.slice(prefix[0].length);
    return { deployment: byPath, path: rest === '' ? '/' : rest, prefix: prefix[0] };
  }

  /** Of two deployments with the same host, the first one has it. */
  #indexHosts(): void {
    const hosts = new Map<string, string>();
    for (const [label, entry] of this.#byLabel) {
      for (const host of entry.hosts) if (!hosts.has(host)) hosts.set(host, label);
    }
    this.#byHost = hosts;
  }
}
