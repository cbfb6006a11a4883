/** Reads and writes of the bank's records. Each touches the store as the SDK's collections do: gas depends on it. */
import type { Context } from '@mu/framework/context';
import { prefixEnd } from '@mu/framework/store/kv-store';
import { type Amount, type Coin, formatAmount, parseAmount } from '@mu/lib/amounts';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import { Metadata, Params, type SendEnabled } from 'cosmjs-types/cosmos/bank/v1beta1/bank';
import {
  accountBalancesKey,
  balanceKey,
  balancePrefix,
  holderKey,
  metadataKey,
  metadataPrefix,
  paramsKey,
  parseBalanceKey,
  sendEnabledKey,
  sendEnabledPrefix,
  storeName,
  supplyKey,
  supplyPrefix,
} from './keys.ts';

/** The value of a balance or a supply. */
export function decodeAmount(bytes: Uint8Array): Amount {
  return parseAmount(fromUtf8(bytes));
}

export function getBalance(ctx: Context, address: Uint8Array, denom: string): Amount {
  const bytes = ctx.store(storeName).get(balanceKey(address, denom));
  return bytes === undefined ? 0n : decodeAmount(bytes);
}

/** An empty balance is no record. */
export function setBalance(
  ctx: Context,
  address: Uint8Array,
  { denom, amount }: { denom: string; amount: Amount },
): void {
  const store = ctx.store(storeName);
  if (amount === 0n) {
    store.delete(holderKey(denom, address));
    store.delete(balanceKey(address, denom));
    return;
  }
  store.set(holderKey(denom, address), new Uint8Array());
  store.set(balanceKey(address, denom), utf8(formatAmount(amount)));
}

/** The balances of an account by denomination, ascending. */
export function* accountBalances(ctx: Context, address: Uint8Array): IterableIterator<Coin> {
  const prefix = accountBalancesKey(address);
  for (const [key, value] of ctx.store(storeName).iterate(prefix, prefixEnd(prefix))) {
    yield { denom: fromUtf8(key.slice(prefix.length)), amount: fromUtf8(value) };
  }
}

/** The balances of all accounts by address and denomination, ascending. */
export function* allBalances(ctx: Context): IterableIterator<[address: Uint8Array, coin: Coin]> {
  for (const [key, value] of ctx.store(storeName).iterate(balancePrefix, prefixEnd(balancePrefix))) {
    const [address, denom] = parseBalanceKey(key);
    yield [address, { denom, amount: fromUtf8(value) }];
  }
}

export function getSupply(ctx: Context, denom: string): Amount {
  const bytes = ctx.store(storeName).get(supplyKey(denom));
  return bytes === undefined ? 0n : decodeAmount(bytes);
}

export function setSupply(ctx: Context, denom: string, amount: Amount): void {
  if (amount === 0n) ctx.store(storeName).delete(supplyKey(denom));
  else ctx.store(storeName).set(supplyKey(denom), utf8(formatAmount(amount)));
}

/** The supply of all denominations, ascending. */
export function* allSupply(ctx: Context): IterableIterator<Coin> {
  for (const [key, value] of ctx.store(storeName).iterate(supplyPrefix, prefixEnd(supplyPrefix))) {
    yield { denom: fromUtf8(key.slice(1)), amount: fromUtf8(value) };
  }
}

export function getMetadata(ctx: Context, denom: string): Metadata | undefined {
  const bytes = ctx.store(storeName).get(metadataKey(denom));
  return bytes === undefined ? undefined : Metadata.decode(bytes);
}

export function setMetadata(ctx: Context, metadata: Metadata): void {
  ctx.store(storeName).set(metadataKey(metadata.base), Metadata.encode(metadata).finish());
}

export function* allMetadata(ctx: Context): IterableIterator<Metadata> {
  for (const [, value] of ctx.store(storeName).iterate(metadataPrefix, prefixEnd(metadataPrefix))) {
    yield Metadata.decode(value);
  }
}

/** @throws Error before genesis has set them */
export function getParams(ctx: Context): Params {
  const bytes = ctx.store(storeName).get(paramsKey);
  if (bytes === undefined) throw new Error('the parameters of bank are read before genesis has set them');
  return Params.decode(bytes);
}

export function setParams(ctx: Context, params: Params): void {
  ctx.store(storeName).set(paramsKey, Params.encode(params).finish());
}

/** google.protobuf.BoolValue: nothing for false. */
const trueBytes = Uint8Array.of(8, 1);

export function decodeFlag(bytes: Uint8Array): boolean {
  return bytes.length > 0;
}

/** Whether a denomination may be sent, where there is an entry of its own. */
export function getSendEnabled(ctx: Context, denom: string): boolean | undefined {
  const store = ctx.store(storeName);
  const key = sendEnabledKey(denom);
  if (!store.has(key)) return undefined;
  return decodeFlag(store.get(key) as Uint8Array);
}

export function setSendEnabled(ctx: Context, { denom, enabled }: SendEnabled): void {
  ctx.store(storeName).set(sendEnabledKey(denom), enabled ? trueBytes : new Uint8Array());
}

export function deleteSendEnabled(ctx: Context, denom: string): void {
  ctx.store(storeName).delete(sendEnabledKey(denom));
}

export function* allSendEnabled(ctx: Context): IterableIterator<SendEnabled> {
  for (const [key, value] of ctx.store(storeName).iterate(sendEnabledPrefix, prefixEnd(sendEnabledPrefix))) {
    yield { denom: fromUtf8(key.slice(1)), enabled: decodeFlag(value) };
  }
}
