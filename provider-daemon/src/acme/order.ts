/** Getting one certificate from an ACME authority (RFC 8555), proved by HTTP-01. */
import { Agent } from 'node:https';
import * as acme from 'acme-client';
import type { CertificatePem } from '../gateway/certificates.ts';
import type { Challenges } from '../gateway/challenges.ts';
import type { AcmeAccount } from './certificate-store.ts';

export interface AuthorityOptions {
  readonly directoryUrl: string;
  readonly email?: string;
  /** PEM of the authority's own certificate, where it is not known to all. */
  readonly ca?: string;
  readonly challenges: Challenges;
}

/** Of one HTTP request to the authority, in ms. */
const requestMs = 30_000;
/** How often, and how far apart in ms, the authority is asked whether it is done. */
const polling = { backoffAttempts: 15, backoffMin: 500, backoffMax: 10_000 };

export class Authority {
  readonly #options: AuthorityOptions;

  constructor(options: AuthorityOptions) {
    this.#options = options;
    // The library has one client for all its requests; its settings are those of the process.
    acme.axios.defaults.timeout = requestMs;
    if (options.ca !== undefined) acme.axios.defaults.httpsAgent = new Agent({ ca: options.ca });
  }

  /** Registers at the authority, which says by that that its terms are agreed to. @throws Error */
  async register(): Promise<AcmeAccount> {
    const key = String(await acme.crypto.createPrivateEcdsaKey());
    const client = new acme.Client({ directoryUrl: this.#options.directoryUrl, accountKey: key, ...polling });
    const { email } = this.#options;
    await client.createAccount({
      termsOfServiceAgreed: true,
      ...(email === undefined || email === '' ? {} : { contact: [`mailto:${email}`] }),
    });
    return { key, url: client.getAccountUrl() };
  }

  /** A certificate for a name, with a key of its own. @throws Error with the authority's reason */
  async issue(account: AcmeAccount, name: string): Promise<CertificatePem> {
    const { directoryUrl, challenges } = this.#options;
    const client = new acme.Client({ directoryUrl, accountKey: account.key, accountUrl: account.url, ...polling });
    const [key, csr] = await acme.crypto.createCsr(
      { commonName: name, altNames: [name] },
      await acme.crypto.createPrivateEcdsaKey(),
    );
    const cert = await client.auto({
      csr,
      termsOfServiceAgreed: true,
      challengePriority: ['http-01'],
      // From inside, a public name may lead elsewhere than from outside: the authority is who asks.
      skipChallengeVerification: true,
      challengeCreateFn: async (_, { token }, proof) => challenges.set(token, proof),
      challengeRemoveFn: async (_, { token }) => challenges.delete(token),
    });
    return { cert, key: String(key) };
  }
}
