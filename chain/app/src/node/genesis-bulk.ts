/**
 * Many accounts at once into a genesis file: a million of them, with memory for their addresses only. The list is read
 * line by line and the file is copied around what is put in.
 */

import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { type Coin, formatAmount, parseAmount } from '@mu/lib/amounts';
import { messageOf } from '@mu/lib/error-message';
import { documentSpan, findSpan, itemParts, parseParts, type Span } from '@mu/lib/json-parts';
import { writeFileAtomically } from './files.ts';
import { coinsOf, GenesisError, genesisAccount, requireAddress } from './genesis.ts';

/** Where the parts of the file are that change. */
interface Places {
  readonly accounts: Span;
  readonly balances: Span;
  readonly supply: Span;
}

/** One line of the list. */
interface Listed {
  /** in small letters: bech32 may be written in capitals, in genesis it is not */
  readonly address: string;
  readonly coins: readonly Coin[];
}

const chunkBytes = 1_048_576;
const linesPerPart = 1000;

/**
 * @param list a file of `address coins` (like `mu1… 5umu,7zed`), or of JSON lines `{"address":…,"coins":…}`
 * @returns how many accounts were added
 * @throws GenesisError with the line; the genesis file is as it was then
 */
export function addAccounts(genesisFile: string, list: string): number {
  if (!statSync(list).isFile()) throw new GenesisError(`${list} is read several times: give a file, not a pipe`);
  const bytes = readFileSync(genesisFile);
  const places = findPlaces(bytes, genesisFile);
  const prefix = prefixIn(bytes);
  const known = new Set<string>();
  const supply = existingSupply(bytes, places, prefix, known);
  let count = 0;
  for (const { coins } of listed(list, (one) => addNew(known, one, prefix))) {
    addTo(supply, coins);
    count += 1;
  }
  known.clear();
  writeFileAtomically(genesisFile, edited(bytes, places, { list, supply }));
  return count;
}

function* edited(
  bytes: Buffer,
  places: Places,
  { list, supply }: { readonly list: string; readonly supply: ReadonlyMap<string, bigint> },
): IterableIterator<string | Uint8Array> {
  const accounts = function* (): IterableIterator<string> {
    for (const { address } of listed(list)) yield JSON.stringify(genesisAccount(address));
  };
  const balances = function* (): IterableIterator<string> {
    for (const { address, coins } of listed(list)) yield JSON.stringify({ address, coins });
  };
  const edits = [
    { from: places.accounts.end - 1, to: places.accounts.end - 1, parts: appended(bytes, places.accounts, accounts()) },
    { from: places.balances.end - 1, to: places.balances.end - 1, parts: appended(bytes, places.balances, balances()) },
    { from: places.supply.start, to: places.supply.end, parts: [JSON.stringify(coinsOfSums(supply))] },
  ].sort((a, b) => a.from - b.from);
  let at = 0;
  for (const { from, to, parts } of edits) {
    yield bytes.subarray(at, from);
    yield* parts;
    at = to;
  }
  yield bytes.subarray(at);
}

/** Items behind those that a list has, an item a line. */
function* appended(bytes: Buffer, list: Span, items: Iterable<string>): IterableIterator<string> {
  let separator = /^\[\s*\]$/.test(bytes.toString('latin1', list.start, Math.min(list.end, list.start + 64)))
    ? ''
    : ',';
  let part: string[] = [];
  const flush = (): string => {
    const text = `${separator}\n${part.join(',\n')}`;
    separator = ',';
    part = [];
    return text;
  };
  for (const item of items) {
    part.push(item);
    if (part.length === linesPerPart) yield flush();
  }
  if (part.length > 0) yield flush();
}

function findPlaces(bytes: Buffer, file: string): Places {
  const state = findSpan(bytes, ['app_state'], documentSpan(bytes));
  const place = (module: string, key: string): Span => {
    const span = state && findSpan(bytes, [module, key], state);
    if (span === undefined || bytes[span.start] !== 0x5b)
      throw new GenesisError(`${file}: app_state.${module}.${key} is no list: begin with a genesis of \`mud init\``);
    return span;
  };
  return {
    accounts: place('auth', 'accounts'),
    balances: place('bank', 'balances'),
    supply: place('bank', 'supply'),
  };
}

function prefixIn(bytes: Buffer): string {
  const span = findSpan(bytes, ['app_state', 'app', 'bech32_prefix']);
  return span === undefined ? 'mu' : (JSON.parse(bytes.toString('utf8', span.start, span.end)) as string);
}

/** Sums by denomination as the genesis states them, or as its balances make them; the addresses go into `known`. */
function existingSupply(bytes: Buffer, places: Places, prefix: string, known: Set<string>): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const part of itemParts(bytes, places.balances)) {
    for (const { address, coins } of part as Listed[]) {
      known.add(keyOf(address, prefix));
      addTo(sums, coins);
    }
  }
  const stated = parseParts(bytes.subarray(places.supply.start, places.supply.end)) as Coin[];
  return stated.length === 0 ? sums : new Map(stated.map(({ denom, amount }) => [denom, parseAmount(amount)]));
}

function addTo(sums: Map<string, bigint>, coins: readonly Coin[]): void {
  for (const { denom, amount } of coins) sums.set(denom, (sums.get(denom) ?? 0n) + parseAmount(amount));
}

function coinsOfSums(sums: ReadonlyMap<string, bigint>): Coin[] {
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([denom, amount]) => ({ denom, amount: formatAmount(amount) }));
}

/** Addresses are checked once, in the first reading. */
function addNew(known: Set<string>, { address }: Listed, prefix: string): void {
  const key = keyOf(address, prefix);
  if (known.has(key)) throw new GenesisError(`${address} is in this genesis already`);
  known.add(key);
}

/** The bytes of an address as a short text. */
function keyOf(address: string, prefix: string): string {
  return Buffer.from(requireAddress(address, prefix)).toString('latin1');
}

/** @throws GenesisError with the line, for what is no line of a list and for what `check` throws */
function* listed(list: string, check: (one: Listed) => void = () => undefined): IterableIterator<Listed> {
  let line = 0;
  for (const text of lines(list)) {
    line += 1;
    if (text.trim() === '') continue;
    let one: Listed;
    try {
      one = parseLine(text.trim());
      check(one);
    } catch (error) {
      throw new GenesisError(`${list}:${line}: ${messageOf(error)}`);
    }
    yield one;
  }
}

function parseLine(text: string): Listed {
  const { address, coins } = text.startsWith('{') ? parseJsonLine(text) : parseWords(text);
  return { address: address === address.toUpperCase() ? address.toLowerCase() : address, coins: coinsOf(coins) };
}

function parseWords(text: string): { address: string; coins: string } {
  const [address = '', coins = '', more] = text.split(/\s+/);
  if (coins === '' || more !== undefined) throw new GenesisError('write an address and its coins, like mu1… 1000umu');
  return { address, coins };
}

function parseJsonLine(text: string): { address: string; coins: string } {
  const { address, coins, ...others } = JSON.parse(text) as Record<string, unknown>;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw new GenesisError(`unknown key "${unknown}"; known: address, coins`);
  if (typeof address !== 'string') throw new GenesisError('"address" is missing');
  if (typeof coins === 'string') return { address, coins };
  if (!Array.isArray(coins)) throw new GenesisError('"coins" is a text like "1000umu", or a list of coins');
  return { address, coins: (coins as Coin[]).map(({ denom, amount }) => `${amount}${denom}`).join(',') };
}

/** Lines of a file of any size. */
function* lines(path: string): IterableIterator<string> {
  const file = openSync(path, 'r');
  try {
    const decoder = new StringDecoder('utf8');
    const chunk = Buffer.allocUnsafe(chunkBytes);
    let rest = '';
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) {
      const whole = (rest + decoder.write(chunk.subarray(0, size))).split('\n');
      rest = whole.pop() ?? '';
      yield* whole;
    }
    rest += decoder.end();
    if (rest !== '') yield rest;
  } finally {
    closeSync(file);
  }
}
