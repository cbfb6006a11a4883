/** Proves the user to providers: an account or an access key signs the delegation of a key that lives as long as this command. */

import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Secp256k1HdWallet } from '@cosmjs/amino';
import type { TenantAccess } from '@mu/client/provider/provider-client';
import type { Delegation, TenantScope } from '@mu/client/tenant/delegation';
import { compressedPoint, generateTenantKey } from '@mu/client/tenant/p256';
import { createDelegation, delegateByAccessKey, type SignedDelegation } from '@mu/client/tenant/request';
import { messageOf } from '@mu/lib/error-message';
import { CliError, usageError } from './errors.ts';

/** A delegation made here holds so long; a new one is made when half of it is over. */
const lifetimeMs = 60 * 60 * 1000;

/** A deployment at a provider. */
export interface TenantPlace {
  readonly chainId: string;
  readonly provider: string;
  readonly owner: string;
  readonly dseq: bigint;
}

export interface TenantSigner {
  /** Access to one deployment at one provider. */
  access(at: TenantPlace, scopes: readonly TenantScope[]): Promise<TenantAccess>;
}

/** Delegations by whoever signs them, each for as long as it holds well. */
abstract class Delegator implements TenantSigner {
  readonly #made = new Map<string, { readonly access: TenantAccess; readonly renewMs: number }>();

  async access(at: TenantPlace, scopes: readonly TenantScope[]): Promise<TenantAccess> {
    const name = [at.chainId, at.provider, at.owner, at.dseq, ...scopes].join('/');
    const known = this.#made.get(name);
    if (known !== undefined && Date.now() < known.renewMs) return known.access;
    const key = generateTenantKey();
    // Providers read whole seconds.
    const issuedMs = Math.floor(Date.now() / 1000) * 1000;
    const times = { issuedMs, expiresMs: issuedMs + lifetimeMs };
    const delegation = await this.delegate({ ...at, scopes, publicKey: compressedPoint(key), ...times });
    const access: TenantAccess = {
      key,
      delegation,
      now: Date.now,
      random: (length) => new Uint8Array(randomBytes(length)),
    };
    this.#made.set(name, { access, renewMs: issuedMs + lifetimeMs / 2 });
    return access;
  }

  protected abstract delegate(delegation: Delegation): Promise<SignedDelegation>;
}

/** By the owner's account. */
export class TenantWallet extends Delegator {
  readonly #mnemonic: string;
  readonly #prefix: string;

  constructor(mnemonic: string, prefix: string) {
    super();
    this.#mnemonic = mnemonic;
    this.#prefix = prefix;
  }

  protected override async delegate(delegation: Delegation): Promise<SignedDelegation> {
    const wallet = await Secp256k1HdWallet.fromMnemonic(this.#mnemonic, { prefix: this.#prefix });
    const addresses = (await wallet.getAccounts()).map(({ address }) => address);
    if (!addresses.includes(delegation.owner)) {
      throw new CliError(
        `deployment ${delegation.dseq} is of ${delegation.owner}, the key that signs is of ${addresses.join()}: choose another with --key, or name an access key of the deployment with --access-key`,
      );
    }
    return createDelegation(wallet, delegation);
  }
}

/** By one of the deployment's access keys. */
export class AccessKeySigner extends Delegator {
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    super();
    this.#key = key;
  }

  /** @param file PEM of a P-256 private key @throws CliError */
  static read(file: string): AccessKeySigner {
    try {
      const key = createPrivateKey(readFileSync(file));
      compressedPoint(key);
      return new AccessKeySigner(key);
    } catch (error) {
      const why = messageOf(error);
      throw usageError(`the access key ${file} cannot be used (${why}): make one with \`mucli keys access ${file}\``);
    }
  }

  protected override async delegate(delegation: Delegation): Promise<SignedDelegation> {
    return delegateByAccessKey(this.#key, delegation);
  }
}
