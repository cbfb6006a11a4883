/**
 * Host names of tenants' own. A name is served only after its TXT record `_mu.<host>` has shown `<owner>/<dseq>`: who can
 * write it has the name. The first deployment that proves a name has it until the record is gone, which is looked at daily.
 */
import { hostNamePattern, maxHostNames } from '@mu/lib/host-name';
import type { Logger } from 'pino';
import { backOffMs } from '../back-off.ts';
import type { HostProof, HostStore } from './host-store.ts';
import type { TxtResolver } from './txt-resolver.ts';

/** Names of one deployment at most; more are not looked at. */
export const maxHosts = maxHostNames;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** How often a proved name is looked at again. */
export const recheckMs = 24 * hourMs;
/** A name that waits is looked at after a minute, then after twice as long each time, up to an hour. */
const firstPauseMs = minuteMs;
const longestPauseMs = hourMs;
/** Where the name system cannot be asked. */
const troubleMs = 10 * minuteMs;
/** A proved name of which the name system has said nothing for so long is no longer served. */
export const graceMs = 72 * hourMs;
/** Names that are asked for at the same time. */
const atOnce = 16;

export interface HostStatus {
  readonly host: string;
  readonly state: 'served' | 'waiting' | 'refused';
  /** Why it is not served, and what to do. */
  readonly reason?: string;
}

export interface HostBookOptions {
  readonly store: HostStore;
  readonly resolver: TxtResolver;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Names of the provider's own, with all below them: nobody else can have them. */
  readonly reserved: readonly string[];
  /** The names of a deployment that are served have changed. */
  readonly onChange: (id: string) => void;
}

interface Claim {
  readonly id: string;
  readonly host: string;
  next: number;
  /** Times that the record was not there. */
  misses: number;
  reason: string;
}

export class HostBook {
  readonly #options: HostBookOptions;
  readonly #proofs = new Map<string, HostProof>();
  /** By host; the first to ask stands first. */
  readonly #claims = new Map<string, Claim[]>();
  readonly #refused = new Map<string, HostStatus[]>();
  /** By host: when its proof is looked at again. */
  readonly #recheck = new Map<string, number>();
  #checking: Promise<void> | undefined;

  constructor(options: HostBookOptions) {
    this.#options = options;
    for (const proof of options.store.load()) {
      this.#proofs.set(proof.host, proof);
      this.#recheck.set(proof.host, proof.seenAt + recheckMs);
    }
  }

  /** The names that a deployment wants now; those that it wanted before and not now are free again. */
  want(id: string, hosts: readonly string[]): void {
    const names = [...new Set(hosts.map((host) => host.toLowerCase().replace(/\.$/, '')))];
    const refused = names.flatMap((host, index) => this.#refusal(host, index));
    const wanted = names.filter((host) => !refused.some((one) => one.host === host));
    this.#refused.set(id, refused);
    for (const [host, claims] of [...this.#claims]) {
      if (!wanted.includes(host)) this.#withdraw(host, claims, id);
    }
    for (const host of wanted) {
      const claims = this.#claims.get(host) ?? [];
      if (claims.some((claim) => claim.id === id)) continue;
      const reason = `set the TXT record _mu.${host} to ${id}`;
      this.#claims.set(host, [...claims, { id, host, next: 0, misses: 0, reason }]);
    }
  }

  /** A deployment is served here no more: its names are free. */
  forget(id: string): void {
    this.want(id, []);
    this.#refused.delete(id);
    for (const [host, proof] of this.#proofs) if (proof.id === id) this.#drop(host);
  }

  /** The names of a deployment that are proved. */
  served(id: string): string[] {
    const isProved = ([host, claims]: readonly [string, Claim[]]) =>
      this.#proofs.get(host)?.id === id && claims.some((claim) => claim.id === id);
    return [...this.#claims].filter(isProved).map(([host]) => host);
  }

  status(id: string): HostStatus[] {
    const own = [...this.#claims.values()].flat().filter((claim) => claim.id === id);
    const statuses = own.map(({ host, reason }): HostStatus => {
      if (this.#proofs.get(host)?.id === id) return { host, state: 'served' };
      return { host, state: 'waiting', reason };
    });
    return [...statuses, ...(this.#refused.get(id) ?? [])];
  }

  /** Looks at all names that are due; called again meanwhile it waits for the same. */
  check(): Promise<void> {
    this.#checking ??= this.#checkDue().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #checkDue(): Promise<void> {
    const now = this.#options.now();
    const due = new Set([...this.#recheck].filter(([, at]) => at <= now).map(([host]) => host));
    for (const [host, claims] of this.#claims) {
      const owner = this.#proofs.get(host)?.id;
      if (claims.some(({ id, next }) => id !== owner && next <= now)) due.add(host);
    }
    const hosts = [...due];
    for (let at = 0; at < hosts.length; at += atOnce) {
      await Promise.all(hosts.slice(at, at + atOnce).map((host) => this.#checkHost(host)));
    }
  }

  async #checkHost(host: string): Promise<void> {
    const texts = await this.#options.resolver.txt(`_mu.${host}`).catch((error: Error) => error);
    const now = this.#options.now();
    if (!Array.isArray(texts)) {
      this.#unknown(host, (texts as Error).message, now);
      return;
    }
    const ids = new Set(texts.map((text: string) => text.trim()));
    const proof = this.#proofs.get(host);
    const claims = this.#claims.get(host) ?? [];
    if (proof !== undefined && ids.has(proof.id) && claims.some(({ id }) => id === proof.id)) this.#seen(proof, now);
    else {
      if (proof !== undefined) this.#lost(proof);
      const first = claims.find(({ id }) => ids.has(id));
      if (first !== undefined) this.#proved(first, now);
    }
    const owner = this.#proofs.get(host)?.id;
    for (const claim of claims) if (claim.id !== owner) miss(claim, ids.has(claim.id) ? owner : undefined, now);
  }

  #seen(proof: HostProof, now: number): void {
    const seen = { ...proof, seenAt: now };
    // First on the disk: where it does not take the proof, the name stays due.
    this.#options.store.put(seen);
    this.#proofs.set(proof.host, seen);
    this.#recheck.set(proof.host, now + recheckMs);
  }

  #proved({ host, id }: Claim, now: number): void {
    this.#seen({ host, id, provedAt: now, seenAt: now }, now);
    this.#options.log.info({ host, deployment: id }, 'a host name was proved and is served now');
    this.#options.onChange(id);
  }

  #lost({ host, id }: HostProof): void {
    this.#drop(host);
    this.#options.log.warn({ host, deployment: id }, 'the TXT record of a host name is gone; it is no longer served');
    this.#options.onChange(id);
  }

  /** The name system could not be asked: what is proved stays for a while. */
  #unknown(host: string, reason: string, now: number): void {
    const proof = this.#proofs.get(host);
    this.#options.log.warn({ host, reason }, 'the TXT record of a host name cannot be looked up; trying again');
    if (proof !== undefined && now - proof.seenAt > graceMs) this.#lost(proof);
    else if (proof !== undefined) this.#recheck.set(host, now + troubleMs);
    for (const claim of this.#claims.get(host) ?? []) {
      if (claim.id === this.#proofs.get(host)?.id) continue;
      claim.next = now + troubleMs;
      claim.reason = `the TXT record _mu.${host} cannot be looked up: ${reason}`;
    }
  }

  #drop(host: string): void {
    this.#proofs.delete(host);
    this.#recheck.delete(host);
    try {
      this.#options.store.delete(host);
    } catch (error) {
      // One that comes back with the next start is looked at again then.
      this.#options.log.warn({ host, reason: String(error) }, 'the proof of a host name cannot be erased');
    }
  }

  #withdraw(host: string, claims: readonly Claim[], id: string): void {
    const left = claims.filter((claim) => claim.id !== id);
    if (left.length === claims.length) return;
    if (left.length === 0) this.#claims.delete(host);
    else this.#claims.set(host, left);
    if (this.#proofs.get(host)?.id !== id) return;
    this.#drop(host);
    // Whoever waits for the name need not wait longer.
    for (const claim of left) claim.next = 0;
  }

  #refusal(host: string, index: number): HostStatus[] {
    const isReserved = this.#options.reserved.some((own) => host === own || host.endsWith(`.${own}`));
    if (!hostNamePattern.test(host)) return [{ host, state: 'refused', reason: 'this is not a host name' }];
    if (isReserved) return [{ host, state: 'refused', reason: 'this name belongs to the provider' }];
    if (index >= maxHosts)
      return [{ host, state: 'refused', reason: `a deployment has ${maxHosts} host names at most` }];
    return [];
  }
}

function miss(claim: Claim, owner: string | undefined, now: number): void {
  claim.misses += 1;
  claim.next = now + backOffMs(claim.misses - 1, { first: firstPauseMs, most: longestPauseMs });
  claim.reason =
    owner === undefined
      ? `the TXT record _mu.${claim.host} does not say ${claim.id} yet`
      : `deployment ${owner} has proved ${claim.host} before: take its id out of the TXT record _mu.${claim.host}`;
}
