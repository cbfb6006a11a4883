/**
 * Moves, makes and burns coins. What is read and written, in which order, and which events come of it is the SDK's
 * (x/bank/keeper/send.go, keeper.go): gas, roots and explorers depend on it. Addresses are bech32 texts.
 */
import type { Context } from '@mu/framework/context';
import { errInsufficientFunds, errInvalidCoins, errUnauthorized } from '@mu/framework/errors';
import { addressBytes } from '@mu/framework/message-registry';
import { type Amount, addAmounts, areCoinsValid, type Coin, coinsToString, parseAmount } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import { equalBytes } from '@mu/lib/bytes';
import { errSendDisabled } from './errors.ts';
import { emitBurnt, emitMinted, emitReceived, emitSender, emitSpent, emitTransfer } from './events.ts';
import type { AccountKeeper } from './expected-keepers.ts';
import { getBalance, getParams, getSendEnabled, getSupply, setBalance, setSupply } from './state.ts';

export class BankKeeper {
  readonly #auth: AccountKeeper;
  readonly #blocked: readonly Uint8Array[];

  /** @param blocked names of modules that nobody may send coins to; all of them by default */
  constructor(options: { readonly auth: AccountKeeper; readonly blocked?: readonly string[] }) {
    this.#auth = options.auth;
    const blocked = options.blocked ?? options.auth.moduleNames();
    this.#blocked = blocked.map((name) => options.auth.moduleAddressBytes(name));
  }

  balance(ctx: Context, address: string, denom: string): Amount {
    return getBalance(ctx, addressBytes(address, ctx.chain.bech32Prefix), denom);
  }

  supply(ctx: Context, denom: string): Amount {
    return getSupply(ctx, denom);
  }

  /** The central answer to "may receive": module accounts get coins from their modules alone. @param address raw bytes */
  isBlocked(address: Uint8Array): boolean {
    return this.#blocked.some((blocked) => equalBytes(blocked, address));
  }

  /** @throws AbciError of codespace bank (5) for a denomination that may not be sent */
  requireSendEnabled(ctx: Context, coins: readonly Coin[]): void {
    if (coins.length === 0) return;
    const byDefault = getParams(ctx).defaultSendEnabled;
    for (const { denom } of coins) {
      if (!(getSendEnabled(ctx, denom) ?? byDefault)) {
        throw errSendDisabled.wrap(`${denom} transfers are currently disabled`);
      }
    }
  }

  /** @throws AbciError insufficient funds (5), invalid coins (10) */
  sendCoins(ctx: Context, from: string, to: string, coins: readonly Coin[]): void {
    const { bech32Prefix } = ctx.chain;
    this.send(ctx, addressBytes(from, bech32Prefix), addressBytes(to, bech32Prefix), coins);
  }

  /** The same from and to raw addresses. */
  send(ctx: Context, from: Uint8Array, to: Uint8Array, coins: readonly Coin[]): void {
    requireValid(coins);
    this.#take(ctx, from, coins);
    this.#give(ctx, to, coins);
    if (!this.#auth.hasAccount(ctx, to)) this.#auth.createAccount(ctx, to);
    if (!ctx.tellsEvents) return;
    const sender = toBech32(ctx.chain.bech32Prefix, from);
    emitTransfer(ctx, { recipient: toBech32(ctx.chain.bech32Prefix, to), sender, coins });
    emitSender(ctx, sender);
  }

  sendFromAccountToModule(ctx: Context, from: string, module: string, coins: readonly Coin[]): void {
    const { address } = this.#auth.getModuleAccount(ctx, module);
    this.send(ctx, addressBytes(from, ctx.chain.bech32Prefix), address, coins);
  }

  /** @throws AbciError unauthorized (4) when the receiver is a module */
  sendFromModuleToAccount(ctx: Context, module: string, to: string, coins: readonly Coin[]): void {
    const receiver = addressBytes(to, ctx.chain.bech32Prefix);
    if (this.isBlocked(receiver)) throw errUnauthorized.wrap(`${to} is not allowed to receive funds`);
    this.send(ctx, this.#auth.moduleAddressBytes(module), receiver, coins);
  }

  sendFromModuleToModule(ctx: Context, from: string, to: string, coins: readonly Coin[]): void {
    const sender = this.#auth.moduleAddressBytes(from);
    this.send(ctx, sender, this.#auth.getModuleAccount(ctx, to).address, coins);
  }

  /** One sender, several receivers; inputs and outputs are checked before. */
  sendToMany(ctx: Context, input: Transfer, outputs: readonly Transfer[]): void {
    const { bech32Prefix } = ctx.chain;
    emitSender(ctx, input.address);
    const sender = addressBytes(input.address, bech32Prefix);
    const receivers = outputs.map((output) => ({ ...output, bytes: addressBytes(output.address, bech32Prefix) }));
    for (const { bytes } of receivers) {
      if (!this.#auth.hasAccount(ctx, bytes)) this.#auth.createAccount(ctx, bytes);
    }
    this.#take(ctx, sender, input.coins);
    for (const { bytes, address, coins } of receivers) {
      this.#give(ctx, bytes, coins);
      emitTransfer(ctx, { recipient: address, sender: input.address, coins });
    }
  }

  /** New coins for a module. @throws Error unless it may mint: that is a mistake of the program, never of a user */
  mintCoins(ctx: Context, module: string, coins: readonly Coin[]): void {
    const { address } = this.#auth.getModuleAccount(ctx, module);
    if (!this.#auth.hasPermission(module, 'minter')) throw new Error(`module ${module} may not mint`);
    requireValid(coins);
    this.#give(ctx, address, coins);
    for (const { denom, amount } of coins) {
      setSupply(ctx, denom, addAmounts(getSupply(ctx, denom), parseAmount(amount)));
    }
    emitMinted(ctx, toBech32(ctx.chain.bech32Prefix, address), coins);
  }

  /** Burns coins of a module. @throws Error unless it may burn; AbciError insufficient funds (5) */
  burnCoins(ctx: Context, module: string, coins: readonly Coin[]): void {
    const { address } = this.#auth.getModuleAccount(ctx, module);
    if (!this.#auth.hasPermission(module, 'burner')) throw new Error(`module ${module} may not burn`);
    requireValid(coins);
    this.#take(ctx, address, coins);
    for (const { denom, amount } of coins) setSupply(ctx, denom, getSupply(ctx, denom) - parseAmount(amount));
    emitBurnt(ctx, toBech32(ctx.chain.bech32Prefix, address), coins);
  }

  #take(ctx: Context, address: Uint8Array, coins: readonly Coin[]): void {
    // The SDK looks for locked coins of a vesting account here; the read costs gas though no such account exists.
    this.#auth.getAccount(ctx, address);
    for (const coin of coins) {
      const balance = getBalance(ctx, address, coin.denom);
      const amount = parseAmount(coin.amount);
      if (balance < amount) {
        const { denom } = coin;
        throw errInsufficientFunds.wrap(`spendable balance ${balance}${denom} is smaller than ${amount}${denom}`);
      }
      setBalance(ctx, address, { denom: coin.denom, amount: balance - amount });
    }
    if (ctx.tellsEvents) emitSpent(ctx, toBech32(ctx.chain.bech32Prefix, address), coins);
  }

  #give(ctx: Context, address: Uint8Array, coins: readonly Coin[]): void {
    for (const { denom, amount } of coins) {
      const sum = addAmounts(getBalance(ctx, address, denom), parseAmount(amount));
      setBalance(ctx, address, { denom, amount: sum });
    }
    if (ctx.tellsEvents) emitReceived(ctx, toBech32(ctx.chain.bech32Prefix, address), coins);
  }
}

/** One side of a transfer. */
export interface Transfer {
  readonly address: string;
  readonly coins: readonly Coin[];
}

/** @throws AbciError invalid coins (10) */
function requireValid(coins: readonly Coin[]): void {
  if (!areCoinsValid(coins)) throw errInvalidCoins.wrap(coinsToString(coins));
}
