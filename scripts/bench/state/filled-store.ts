/** A committed state with so many accounts beside those of the genesis, as one of that size would have left it. */
import { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import type { GenesisStores } from '@mu/framework/store/commit-store';
import type { Change } from '@mu/framework/store/kv-store';
import { utf8, writeU64be } from '@mu/lib/bytes';
import { emptyAccount } from '@mu/x-auth/account';
import { encodeAccount } from '@mu/x-auth/account-codec';
import { accountKey, storeName as accountStore, numberIndexKey } from '@mu/x-auth/keys';
import { balanceKey, storeName as bankStore, holderKey } from '@mu/x-bank/keys';

const denom = 'umu';
/** Numbers above those of the genesis. */
const firstNumber = 1_000_000_000n;
const step = 2n ** 64n;

/** The address of the nth of so many: evenly over all addresses, as hashes of keys are, and ascending. */
export function filledAddress(index: number, count: number): Uint8Array {
  const address = new Uint8Array(20).fill(0x55);
  writeU64be(address, 0, (BigInt(index) * step) / BigInt(count));
  return address;
}

/** Fills the stores before the genesis does, and says what the trees take. */
export class FilledStore extends LmdbCommitStore {
  readonly #count: number;
  /** milliseconds in the trees since it was set to 0 */
  hashMs = 0;

  /** @param accounts how many stand in the state beside those of the genesis */
  constructor(
    path: string,
    names: readonly string[],
    options: { readonly cacheBytes: number; readonly accounts: number },
  ) {
    super(path, names, options);
    this.#count = options.accounts;
  }

  override beginGenesis(): GenesisStores {
    const stores = super.beginGenesis();
    const [accounts, bank] = [stores.store(accountStore), stores.store(bankStore)];
    for (let index = 0; index < this.#count; index += 1) {
      const address = filledAddress(index, this.#count);
      const accountNumber = firstNumber + BigInt(index);
      accounts.set(accountKey(address), encodeAccount({ ...emptyAccount(address, 'mu'), accountNumber }));
      accounts.set(numberIndexKey(accountNumber), address);
      bank.set(balanceKey(address, denom), utf8('1000000'));
      bank.set(holderKey(denom, address), new Uint8Array());
    }
    return stores;
  }

  override workingHash(height: bigint, changes: readonly Change[]): Uint8Array {
    const began = performance.now();
    const hash = super.workingHash(height, changes);
    this.hashMs += performance.now() - began;
    return hash;
  }
}
