/** Account and certificates of ACME on disk, one file each, for their owner only. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import { type CertificatePem, contextOf } from '../gateway/certificates.ts';

/** A certificate that is held. */
export interface HeldCertificate {
  readonly name: string;
  readonly context: SecureContext;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
}

export interface AcmeAccount {
  /** PEM. */
  readonly key: string;
  readonly url: string;
}

const ending = '.pem';
const accountFile = 'account.json';

export class CertificateStore {
  readonly #folder: string;

  /** @param folder made where it is not there */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#folder = folder;
  }

  account(): AcmeAccount | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#folder, accountFile), 'utf8')) as AcmeAccount;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  putAccount(account: AcmeAccount): void {
    this.#write(accountFile, JSON.stringify(account));
  }

  /** All that are held; a file that cannot be read is told to `onBroken`, and its name gets a new certificate. */
  load(onBroken: (file: string, reason: string) => void): HeldCertificate[] {
    const files = readdirSync(this.#folder).filter((file) => file.endsWith(ending));
    return files.flatMap((file) => {
      try {
        const text = readFileSync(join(this.#folder, file), 'utf8');
        return [heldOf(file.slice(0, -ending.length), { cert: text, key: text })];
      } catch (error) {
        onBroken(join(this.#folder, file), (error as Error).message);
        return [];
      }
    });
  }

  /** @throws Error where the certificate and the key do not fit */
  put(name: string, pem: CertificatePem): HeldCertificate {
    const held = heldOf(name, pem);
    // One file: a key without its certificate can never stand there.
    this.#write(`${name}${ending}`, `${pem.key.trim()}\n${pem.cert.trim()}\n`);
    return held;
  }

  delete(name: string): void {
    rmSync(join(this.#folder, `${name}${ending}`), { force: true });
  }

  #write(file: string, text: string): void {
    const path = join(this.#folder, file);
    writeFileSync(`${path}.new`, text, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
  }
}

function heldOf(name: string, pem: CertificatePem): HeldCertificate {
  const leaf = new X509Certificate(pem.cert);
  const context = contextOf(pem);
  return { name, context, from: leaf.validFromDate.getTime(), until: leaf.validToDate.getTime() };
}
