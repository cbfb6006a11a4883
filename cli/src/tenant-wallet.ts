/** Proves the user to providers: the account signs the delegation of a key that lives as long as this command. */
import { randomBytes } from 'node:crypto';
import { Secp256k1HdWallet } from '@cosmjs/amino';
import type { TenantAccess } from '@mu/client/provider/provider-client';
import type { TenantScope } from '@mu/client/tenant/delegation';
import { compressedPoint, generateTenantKey } from '@mu/client/tenant/p256';
import { createDelegation } from '@mu/client/tenant/request';

/** A delegation made here holds so long; a new one is made when half of it is over. */
const lifetimeMs = 60 * 60 * 1000;

export class TenantWallet {
  readonly #mnemonic: string;
  readonly #prefix: string;
  readonly #made = new Map<string, { readonly access: TenantAccess; readonly renewMs: number }>();

  constructor(mnemonic: string, prefix: string) {
    this.#mnemonic = mnemonic;
    this.#prefix = prefix;
  }

  /** Access to one deployment at one provider. */
  async access(
    at: { chainId: string; provider: string; owner: string; dseq: bigint },
    scopes: readonly TenantScope[],
  ): Promise<TenantAccess> {
    const name = [at.chainId, at.provider, at.owner, at.dseq, ...scopes].join('/');
    const known = this.#made.get(name);
    if (known !== undefined && Date.now() < known.renewMs) return known.access;
    const wallet = await Secp256k1HdWallet.fromMnemonic(this.#mnemonic, { prefix: this.#prefix });
    const key = generateTenantKey();
    // Providers read whole seconds.
    const issuedMs = Math.floor(Date.now() / 1000) * 1000;
    const delegation = await createDelegation(wallet, {
      ...at,
      scopes,
      publicKey: compressedPoint(key),
      issuedMs,
      expiresMs: issuedMs + lifetimeMs,
    });
    const access: TenantAccess = {
      key,
      delegation,
      now: Date.now,
      random: (length) => new Uint8Array(randomBytes(length)),
    };
    this.#made.set(name, { access, renewMs: issuedMs + lifetimeMs / 2 });
    return access;
  }
}
