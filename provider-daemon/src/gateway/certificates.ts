/** Certificates by which the gateway shows that it is who its name says. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from 'pino';

/** A certificate with those that vouch for it, and its key, in PEM. */
export interface CertificatePem {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateSource {
  /** What is shown to a client that asks for a name (lower case); undefined: the handshake is refused. */
  contextFor(name: string): SecureContext | undefined;
  /** What is shown to a client that names no host; undefined: the handshake is refused. */
  fallback(): CertificatePem | undefined;
  /** Called when `fallback` changes. */
  onChange(listener: () => void): void;
  /** These names are served: those that this source can get a certificate for should have one. */
  want(names: readonly string[]): void;
}

/** What TLS is spoken with: nothing older is. */
export const minVersion = 'TLSv1.2';

export function contextOf({ cert, key }: CertificatePem): SecureContext {
  return createSecureContext({ cert, key, minVersion });
}

/** The first source that has a certificate for a name shows it. */
export class CertificateChoice implements CertificateSource {
  readonly #sources: readonly CertificateSource[];

  constructor(sources: readonly CertificateSource[]) {
    this.#sources = sources;
  }

  contextFor(name: string): SecureContext | undefined {
    for (const source of this.#sources) {
      const context = source.contextFor(name);
      if (context !== undefined) return context;
    }
    return undefined;
  }

  fallback(): CertificatePem | undefined {
    for (const source of this.#sources) {
      const pem = source.fallback();
      if (pem !== undefined) return pem;
    }
    return undefined;
  }

  onChange(listener: () => void): void {
    for (const source of this.#sources) source.onChange(listener);
  }

  /** A source is asked only for what those before it do not have. */
  want(names: readonly string[]): void {
    let left = names;
    for (const source of this.#sources) {
      source.want(left);
      left = left.filter((name) => source.contextFor(name) === undefined);
    }
  }
}

/** Days before the end of a certificate from which on each reading of the files warns. */
const warnDays = 14;
const dayMs = 24 * 60 * 60 * 1000;

export interface FileCertificateOptions {
  /** Path of the PEM file with the certificate, then those that vouch for it. */
  readonly cert: string;
  readonly key: string;
  readonly now: () => number;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** A certificate of the provider's own, in two files. `check` reads them again when they have changed. */
export class FileCertificate implements CertificateSource {
  readonly #options: FileCertificateOptions;
  readonly #listeners: (() => void)[] = [];
  #pem: CertificatePem;
  #leaf: X509Certificate;
  #context: SecureContext;
  #stamp: string;

  /** @throws Error with the file and what is wrong with it */
  constructor(options: FileCertificateOptions) {
    this.#options = options;
    this.#stamp = this.#stampNow();
    const loaded = this.#load();
    this.#pem = loaded.pem;
    this.#leaf = loaded.leaf;
    this.#context = contextOf(loaded.pem);
  }

  /** When it ends, in ms. */
  get expiresAt(): number {
    return this.#leaf.validToDate.getTime();
  }

  contextFor(name: string): SecureContext | undefined {
    return this.#leaf.checkHost(name) === undefined ? undefined : this.#context;
  }

  fallback(): CertificatePem {
    return this.#pem;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Files have what they have. */
  want(_names: readonly string[]): void {}

  /** Takes what stands in the files now. Files that do not fit each other, as while they are replaced, are not taken. */
  check(): void {
    try {
      const stamp = this.#stampNow();
      if (stamp === this.#stamp) return;
      const { pem, leaf } = this.#load();
      this.#context = contextOf(pem);
      [this.#pem, this.#leaf, this.#stamp] = [pem, leaf, stamp];
      for (const listener of this.#listeners) listener();
      const data = { file: this.#options.cert, expires: leaf.validToDate.toISOString() };
      this.#options.log.info(data, 'the gateway shows the certificate that was put into its file');
    } catch (error) {
      this.#options.log.warn(
        { reason: (error as Error).message },
        'the certificate of the gateway was changed but cannot be used; the one before is shown on',
      );
    }
  }

  #load(): { pem: CertificatePem; leaf: X509Certificate } {
    const { cert: certFile, key: keyFile, now, log } = this.#options;
    const cert = read(certFile);
    const key = read(keyFile);
    const leaf = made(certFile, 'is no certificate in PEM', () => new X509Certificate(cert));
    const privateKey = made(keyFile, 'is no private key in PEM', () => createPrivateKey(key));
    if (!leaf.checkPrivateKey(privateKey)) throw new Error(`${keyFile}: not the key of the certificate in ${certFile}`);
    const expires = leaf.validToDate;
    if (expires.getTime() - now() < warnDays * dayMs) {
      log.warn(
        { file: certFile, expires: expires.toISOString() },
        'the certificate of the gateway ends soon: replace it',
      );
    }
    return { pem: { cert, key }, leaf };
  }

  /** Changes whenever a file does. */
  #stampNow(): string {
    const { cert, key } = this.#options;
    return [cert, key].map((file) => made(file, 'cannot be read', () => stampOf(file))).join(' ');
  }
}

function stampOf(file: string): string {
  const { ino, size, mtimeMs } = statSync(file);
  return `${ino}:${size}:${mtimeMs}`;
}

function read(file: string): string {
  return made(file, 'cannot be read', () => readFileSync(file, 'utf8'));
}

function made<T>(file: string, problem: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Error(`${file}: ${problem} (${(error as Error).message})`);
  }
}
