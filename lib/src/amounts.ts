/**
 * Money: integers of at most 256 bits, in the smallest unit (umu), as design §5 "Amounts" has them; and the coins of a
 * Cosmos message, with the Cosmos SDK's rules for lists of them.
 */

/** An amount in the smallest unit of its denomination; 0 … 2²⁵⁶−1. */
export type Amount = bigint;

/** The greatest amount there is. */
export const maxAmount: Amount = 2n ** 256n - 1n;

/** Why an amount or a coin was refused; callers match on this, never on the text. */
export type AmountErrorReason = 'syntax' | 'overflow' | 'negative' | 'denom' | 'coins';

/** An amount, a coin or a list of coins that cannot be. */
export class AmountError extends Error {
  override readonly name = 'AmountError';
  readonly reason: AmountErrorReason;

  constructor(reason: AmountErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** A coin as it travels in a message (cosmos.base.v1beta1.Coin). */
export interface Coin {
  denom: string;
  amount: string;
}

// 2^256 has 78 digits: longer texts are refused before any arithmetic.
const amountPattern = /^(?:0|[1-9][0-9]{0,77})$/;
const denomPattern = /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/;
const coinPattern = /^([0-9]+)([a-zA-Z][a-zA-Z0-9/:._-]{2,127})$/;

/** A text for an error message, cut so that a stranger's input does not fill a log. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** The value itself when it is an amount. @throws AmountError below 0 or above 256 bits */
export function checkAmount(value: bigint): Amount {
  if (value < 0n) throw new AmountError('negative', `amount ${value} is negative`);
  if (value > maxAmount) throw new AmountError('overflow', 'amount does not fit into 256 bits');
  return value;
}

/** The amount of a decimal text: digits only, no sign, no space, no leading zero. @throws AmountError */
export function parseAmount(text: string): Amount {
  if (!amountPattern.test(text))
    throw new AmountError('syntax', `${quoted(text)} is not an amount of at most 256 bits`);
  return checkAmount(BigInt(text));
}

/** The decimal text of an amount. @throws AmountError below 0 or above 256 bits */
export function formatAmount(value: Amount): string {
  return checkAmount(value).toString();
}

/** a + b. @throws AmountError above 256 bits */
export function addAmounts(a: Amount, b: Amount): Amount {
  return checkAmount(checkAmount(a) + checkAmount(b));
}

/** a − b. @throws AmountError below 0 */
export function subAmounts(a: Amount, b: Amount): Amount {
  return checkAmount(checkAmount(a) - checkAmount(b));
}

/** a × b. @throws AmountError above 256 bits */
export function mulAmounts(a: Amount, b: Amount): Amount {
  return checkAmount(checkAmount(a) * checkAmount(b));
}

/** True when the text can be a denomination (3 to 128 characters, a letter first). */
export function isDenom(text: string): boolean {
  return denomPattern.test(text);
}

/** @throws AmountError with the SDK's text when it cannot be a denomination */
export function validateDenom(text: string): void {
  if (!isDenom(text)) throw new AmountError('denom', `invalid denom: ${text.slice(0, 200)}`);
}

/** A coin of an amount. @throws AmountError */
export function makeCoin(amount: Amount, denom: string): Coin {
  validateDenom(denom);
  return { denom, amount: formatAmount(amount) };
}

/** The coin of a text like `10umu`. @throws AmountError */
export function parseCoin(text: string): Coin {
  const match = coinPattern.exec(text.trim());
  if (!match) throw new AmountError('syntax', `invalid coin expression: ${quoted(text)}`);
  return makeCoin(parseAmount(match[1]!), match[2]!);
}

/**
 * Coins of a text like `10umu,5stake`, sorted by denomination; zeros are dropped and the empty text has no coins, as
 * in the SDK's ParseCoinsNormalized. @throws AmountError on a duplicate or on what is no coin
 */
export function parseCoins(text: string): Coin[] {
  if (text.trim() === '') return [];
  const coins = text.split(',').map(parseCoin);
  const kept = coins.filter((coin) => coin.amount !== '0').sort((a, b) => compareDenoms(a.denom, b.denom));
  validateCoins(kept);
  return kept;
}

/** Denominations are ASCII, so the order of UTF-16 units is the order of bytes that Go sorts by. */
function compareDenoms(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * The SDK's Coins.Validate: valid denominations in ascending order, none twice, every amount above 0.
 * @throws AmountError with the SDK's texts
 */
export function validateCoins(coins: readonly Coin[]): void {
  let last: string | undefined;
  for (const { denom, amount } of coins) {
    validateDenom(denom);
    if (last !== undefined && denom < last) throw new AmountError('coins', `denomination ${denom} is not sorted`);
    if (denom === last) throw new AmountError('coins', `duplicate denomination ${denom}`);
    if (parseAmount(amount) === 0n) throw new AmountError('coins', `coin ${amount}${denom} amount is not positive`);
    last = denom;
  }
}

/** True when validateCoins accepts the list. */
export function areCoinsValid(coins: readonly Coin[]): boolean {
  try {
    validateCoins(coins);
    return true;
  } catch (error) {
    if (error instanceof AmountError) return false;
    throw error;
  }
}

/** How much of a denomination a valid list holds; 0 when none. */
export function amountOf(coins: readonly Coin[], denom: string): Amount {
  const found = coins.find((coin) => coin.denom === denom);
  return found ? parseAmount(found.amount) : 0n;
}

/** Merges two valid lists by one operation; zeros of the result are dropped, its order is that of denominations. */
function mergeCoins(a: readonly Coin[], b: readonly Coin[], combine: (x: Amount, y: Amount) => Amount): Coin[] {
  validateCoins(a);
  validateCoins(b);
  const out: Coin[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = a[i];
    const right = b[j];
    const order = left === undefined ? 1 : right === undefined ? -1 : compareDenoms(left.denom, right.denom);
    const x = order <= 0 ? parseAmount(a[i++]!.amount) : 0n;
    const y = order >= 0 ? parseAmount(b[j++]!.amount) : 0n;
    const amount = combine(x, y);
    if (amount !== 0n) out.push(makeCoin(amount, (order <= 0 ? left : right)!.denom));
  }
  return out;
}

/** a + b of two valid lists. @throws AmountError when a sum exceeds 256 bits or a list is not valid */
export function addCoins(a: readonly Coin[], b: readonly Coin[]): Coin[] {
  return mergeCoins(a, b, addAmounts);
}

/** a − b of two valid lists. @throws AmountError with reason `negative` when b holds more of anything than a */
export function subCoins(a: readonly Coin[], b: readonly Coin[]): Coin[] {
  return mergeCoins(a, b, subAmounts);
}

/** True when a holds at least as much of every denomination of b. */
export function coinsCover(a: readonly Coin[], b: readonly Coin[]): boolean {
  return b.every((coin) => amountOf(a, coin.denom) >= parseAmount(coin.amount));
}

/** The SDK's text of a coin, `10umu`. */
export function coinToString(coin: Coin): string {
  return `${coin.amount}${coin.denom}`;
}

/** The SDK's text of coins, `10umu,5stake`; empty for none. */
export function coinsToString(coins: readonly Coin[]): string {
  return coins.map(coinToString).join(',');
}
