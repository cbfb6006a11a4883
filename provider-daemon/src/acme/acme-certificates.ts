/** Certificates of an ACME authority for all names that the gateway serves, renewed by themselves. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import type { Logger } from 'pino';
import type { CertificateSource } from '../gateway/certificates.ts';
import { CertificateStore, type HeldCertificate } from './certificate-store.ts';
import { Authority, type AuthorityOptions } from './order.ts';
import { dueAt, type Failures } from './schedule.ts';

export interface AcmeOptions extends AuthorityOptions {
  /** Where account and certificates are kept; each authority has a folder of its own in it. */
  readonly folder: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** How a name stands. */
export interface NameStatus {
  readonly name: string;
  /** End of the certificate that is shown, in ms since 1970; undefined where there is none. */
  readonly expires: number | undefined;
  /** When the next one is asked for; in ms since 1970. */
  readonly next: number;
  /** Attempts that failed since the last success. */
  readonly failures: number;
}

export class AcmeCertificates implements CertificateSource {
  readonly #options: AcmeOptions;
  readonly #authority: Authority;
  readonly #store: CertificateStore;
  readonly #held = new Map<string, HeldCertificate>();
  readonly #failures = new Map<string, Failures>();
  #wanted: ReadonlySet<string> = new Set();
  #checking: Promise<void> | undefined;

  /** @throws Error where the folder cannot be written to */
  constructor(options: AcmeOptions) {
    this.#options = options;
    this.#authority = new Authority(options);
    const place = createHash('sha256').update(options.directoryUrl).digest('hex').slice(0, 16);
    this.#store = new CertificateStore(join(options.folder, place));
    const held = this.#store.load((file, reason) => {
      options.log.warn({ file, reason }, 'a certificate on disk cannot be read; another one is asked for');
    });
    for (const one of held) this.#held.set(one.name, one);
  }

  contextFor(name: string): SecureContext | undefined {
    const held = this.#held.get(name);
    if (held === undefined || !this.#wanted.has(name)) return undefined;
    return held.until > this.#options.now() ? held.context : undefined;
  }

  /** Who names no host has none of these. */
  fallback(): undefined {
    return undefined;
  }

  onChange(_listener: () => void): void {}

  want(names: readonly string[]): void {
    this.#wanted = new Set(names);
  }

  status(): NameStatus[] {
    return [...this.#wanted].map((name) => ({
      name,
      expires: this.#held.get(name)?.until,
      next: dueAt(this.#held.get(name), this.#failures.get(name)),
      failures: this.#failures.get(name)?.count ?? 0,
    }));
  }

  /** Asks for all certificates that are due, one after the other; called again meanwhile it waits for the same. */
  check(): Promise<void> {
    this.#checking ??= this.#checkAll().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #checkAll(): Promise<void> {
    const { now } = this.#options;
    for (const [name, { until }] of this.#held) {
      if (until > now() || this.#wanted.has(name)) continue;
      this.#held.delete(name);
      this.#store.delete(name);
    }
    const due = this.status().filter(({ next }) => next <= now());
    due.sort((a, b) => a.next - b.next);
    for (const { name } of due) if (this.#wanted.has(name)) await this.#get(name);
  }

  async #get(name: string): Promise<void> {
    const { log, now } = this.#options;
    try {
      const held = this.#store.put(name, await this.#authority.issue(await this.#account(), name));
      this.#held.set(name, held);
      this.#failures.delete(name);
      log.info({ name, expires: iso(held.until) }, 'a certificate was issued');
    } catch (error) {
      const failures = { count: (this.#failures.get(name)?.count ?? 0) + 1, at: now() };
      this.#failures.set(name, failures);
      const held = this.#held.get(name);
      const next = iso(dueAt(held, failures));
      const data = { name, reason: (error as Error).message, next, ...(held && { expires: iso(held.until) }) };
      log.warn(data, 'a certificate could not be got; is the name’s port 80 ours, and reachable from outside?');
    }
  }

  async #account() {
    const known = this.#store.account();
    if (known !== undefined) return known;
    const made = await this.#authority.register();
    this.#store.putAccount(made);
    return made;
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
