/** Genesis of accounts, in the SDK's shape: parameters and a list of accounts as Any. */
import type { Context } from '@mu/framework/context';
import type { GenesisIntake } from '@mu/framework/genesis-parts';
import { moduleAddress, secp256k1Address } from '@mu/lib/address';
import { fromBech32 } from '@mu/lib/bech32';
import { ByteList, ByteSet } from '@mu/lib/byte-set';
import { equalBytes, u64be } from '@mu/lib/bytes';
import { GenesisState } from 'cosmjs-types/cosmos/auth/v1beta1/genesis';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { Any } from 'cosmjs-types/google/protobuf/any';
import { type Account, fromAny, secp256k1Url, toAny } from './account.ts';
import { encodeAccount } from './account-codec.ts';
import type { AccountKeeper } from './keeper.ts';
import { feeCollector } from './keys.ts';
import { defaultParams, validateParams } from './params.ts';

export function defaultGenesis(): GenesisState {
  return GenesisState.fromPartial({ params: defaultParams(), accounts: [] });
}

/** Checks a genesis and, with a context, stores its accounts; those that must be numbered anew wait for the end. */
export function takeGenesis(keeper: AccountKeeper, ctx: Context | undefined): GenesisIntake<GenesisState> {
  const addresses = new ByteSet();
  const numbering = ctx === undefined ? undefined : new Numbering(ctx, keeper);
  return {
    begin({ params }) {
      validateParams(params);
      if (ctx !== undefined) keeper.setParams(ctx, params);
    },
    part({ accounts }, from) {
      for (const [at, any] of accounts.entries()) {
        const where = `accounts[${from + at}]`;
        const account = parseAccount(any, where, ctx?.chain.bech32Prefix);
        if (!addresses.add(account.address)) throw new Error(`${where}: duplicate account ${account.addressText}`);
        checkAccount(account, where);
        numbering?.take(account);
      }
    },
    end() {
      if (ctx === undefined) return;
      numbering?.end();
      keeper.getModuleAccount(ctx, feeCollector);
    },
  };
}

/** @param prefix of the addresses of the chain; any other one is refused where it is given */
function parseAccount(any: Any, where: string, prefix: string | undefined): Account {
  try {
    return fromAny(any, (text) => fromBech32(text, prefix));
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : 'it cannot be read'}`);
  }
}

function checkAccount({ address, addressText, module, pubKey }: Account, where: string): void {
  if (module !== undefined && !equalBytes(moduleAddress(module.name), address)) {
    throw new Error(`${where}: ${addressText} is not the address of module ${module.name}`);
  }
  if (pubKey === undefined) return;
  if (pubKey.typeUrl !== secp256k1Url) throw new Error(`${where}.pub_key: keys are ${secp256k1Url}`);
  if (!equalBytes(secp256k1Address(PubKey.decode(pubKey.value).key), address)) {
    throw new Error(`${where}.pub_key: it is not the key of ${addressText}`);
  }
}

/**
 * Numbers accounts as the SDK does: the first of a number keeps it, all others get the lowest free ones when all numbers
 * are known, by number and then in the order of the list. A genesis may leave all numbers at 0.
 */
class Numbering {
  readonly #ctx: Context;
  readonly #keeper: AccountKeeper;
  readonly #taken = new ByteSet();
  readonly #repeated = new ByteList();
  /** by number, where the accounts stand that have it too */
  readonly #places = new Map<bigint, number[]>();
  /** one above the highest number */
  #next = 0n;

  constructor(ctx: Context, keeper: AccountKeeper) {
    this.#ctx = ctx;
    this.#keeper = keeper;
  }

  take(account: Account): void {
    const { accountNumber } = account;
    if (this.#taken.add(u64be(accountNumber))) {
      this.#store(account);
      return;
    }
    const place = this.#repeated.push(encodeAccount(account));
    const known = this.#places.get(accountNumber);
    if (known === undefined) this.#places.set(accountNumber, [place]);
    else known.push(place);
  }

  end(): void {
    let free = 0n;
    for (const number of [...this.#places.keys()].sort((a, b) => (a < b ? -1 : 1))) {
      for (const place of this.#places.get(number) ?? []) {
        while (this.#taken.has(u64be(free))) free += 1n;
        this.#store({ ...this.#keeper.parse(this.#ctx, Any.decode(this.#repeated.at(place))), accountNumber: free });
        free += 1n;
      }
    }
    // The SDK draws number after number until it has passed the highest; this is where that ends.
    if (this.#next > 0n) this.#keeper.setNextAccountNumber(this.#ctx, this.#next);
  }

  #store(account: Account): void {
    this.#keeper.setAccount(this.#ctx, account);
    if (account.accountNumber >= this.#next) this.#next = account.accountNumber + 1n;
  }
}

export function exportGenesis(ctx: Context, keeper: AccountKeeper): GenesisState {
  return GenesisState.fromPartial({
    params: keeper.params(ctx),
    accounts: [...keeper.accounts(ctx)].map(toAny),
  });
}
