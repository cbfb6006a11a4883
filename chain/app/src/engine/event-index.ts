/**
 * Where events are found again: by attribute and value, the places where they happened. One entry per (attribute,
 * value, height) holds all its places, so that a block full of alike transactions writes few entries.
 */
import { readU32be, readU64be, toHex, u64be, utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import type { Event } from 'cosmjs-types/tendermint/abci/types';
import type { Database } from 'lmdb';
import { type Condition, matchesValue } from './query/query.ts';

type BinaryDatabase = Database<Buffer, Buffer>;

/** Where an event happened: block, transaction in it (0 for the block's own), event in that. */
export interface Place {
  height: bigint;
  index: number;
  event: number;
}

/** Heights that a search covers, both included. */
export interface HeightBounds {
  low: bigint;
  high: bigint;
}

/** A search that would look at too much. */
export class SearchTooBroadError extends Error {
  override readonly name = 'SearchTooBroadError';
}

/** LMDB keys end at 1978 bytes; a longer value is filed under its hash and kept beside its places. */
const maxFiledBytes = 1500;
const maxScannedEntries = 1_000_000;
const decimal = /^-?\d+(\.\d+)?$/;

export class EventIndex {
  readonly #db: BinaryDatabase;

  constructor(db: BinaryDatabase) {
    this.#db = db;
  }

  /** Files a block's events; part of the caller's transaction. */
  add(height: bigint, entries: EventEntries): void {
    const suffix = u64be(height);
    for (const { tag, value, places } of entries.all()) {
      const filed = filedValue(value);
      const full = filed === value ? '' : value;
      const key = Buffer.concat([utf8(`${tag}\0${filed}\0`), suffix]);
      const text = Buffer.from(full);
      const record = Buffer.allocUnsafe(4 + text.length + places.length * 4);
      record.writeUInt32BE(text.length, 0);
      text.copy(record, 4);
      places.forEach((number, i) => {
        record.writeUInt32BE(number, 4 + text.length + i * 4);
      });
      this.#db.putSync(key, record);
    }
  }

  /**
   * Places of events that fulfil all conditions **at once**: as in CometBFT, conditions on attributes must hold within
   * one event. Conditions of one tag with a range must hold for one value.
   * @throws SearchTooBroadError
   */
  find(conditions: readonly Condition[], bounds: HeightBounds): Place[] {
    const budget = { left: maxScannedEntries };
    let found: Map<string, Place> | undefined;
    for (const group of grouped(conditions)) {
      const next = this.#findGroup(group, bounds, budget);
      if (found === undefined) found = next;
      else for (const name of [...found.keys()]) if (!next.has(name)) found.delete(name);
      if (found.size === 0) break;
    }
    return [...(found?.values() ?? [])];
  }

  #findGroup(group: readonly Condition[], bounds: HeightBounds, budget: Budget): Map<string, Place> {
    const found = new Map<string, Place>();
    for (const { height, record } of this.#entries(group, bounds, budget)) {
      const start = 4 + readU32be(record, 0);
      for (let at = start; at < record.length; at += 8) {
        spend(budget);
        const place = { height, index: readU32be(record, at), event: readU32be(record, at + 4) };
        found.set(`${height}/${place.index}/${place.event}`, place);
      }
    }
    return found;
  }

  /** Entries that fulfil a group of conditions on one tag. */
  *#entries(
    group: readonly Condition[],
    bounds: HeightBounds,
    budget: Budget,
  ): IterableIterator<{ height: bigint; record: Buffer }> {
    const [{ tag, operator, argument }] = group as [Condition];
    if (operator === '=' && (argument!.kind === 'string' || argument!.kind === 'number')) {
      yield* this.#entriesOf(tag, argument!.text, bounds);
      return;
    }
    const prefix = utf8(`${tag}\0`);
    const end = utf8(`${tag}\x01`);
    for (const { key, value: record } of this.#db.getRange({ start: Buffer.from(prefix), end: Buffer.from(end) })) {
      spend(budget);
      const height = readU64be(key, key.length - 8);
      if (height < bounds.low || height > bounds.high) continue;
      const kept = readU32be(record, 0);
      const value =
        kept > 0 ? record.toString('utf8', 4, 4 + kept) : key.toString('utf8', prefix.length, key.length - 9);
      if (group.every((condition) => fulfils(condition, value))) yield { height, record };
    }
  }

  *#entriesOf(
    tag: string,
    value: string,
    { low, high }: HeightBounds,
  ): IterableIterator<{ height: bigint; record: Buffer }> {
    if (high < low) return;
    const prefix = utf8(`${tag}\0${filedValue(value)}\0`);
    const start = Buffer.concat([prefix, u64be(low)]);
    const end = Buffer.concat([prefix, u64be(high + 1n)]);
    for (const { key, value: record } of this.#db.getRange({ start, end })) {
      // A value that goes on after a zero byte shares the prefix and has a longer key.
      if (key.length === prefix.length + 8) yield { height: readU64be(key, prefix.length), record };
    }
  }
}

/** What a search may still look at. */
interface Budget {
  left: number;
}

function spend(budget: Budget): void {
  budget.left -= 1;
  if (budget.left < 0) {
    throw new SearchTooBroadError('the query looks at too many events: narrow it, for example by height');
  }
}

/** As CometBFT's indexer: a range takes only values that are numbers as a whole. */
function fulfils(condition: Condition, value: string): boolean {
  if (condition.argument?.kind === 'number' && !decimal.test(value)) return false;
  return matchesValue(condition, value);
}

/** Range conditions of one tag together, every other condition alone. */
function grouped(conditions: readonly Condition[]): Condition[][] {
  const ranges = new Map<string, Condition[]>();
  const groups: Condition[][] = [];
  for (const condition of conditions) {
    const isRange = ['<', '<=', '>', '>='].includes(condition.operator);
    const known = isRange ? ranges.get(condition.tag) : undefined;
    if (known !== undefined) known.push(condition);
    else {
      const group = [condition];
      groups.push(group);
      if (isRange) ranges.set(condition.tag, group);
    }
  }
  return groups;
}

function filedValue(value: string): string {
  return value.length * 3 <= maxFiledBytes || Buffer.byteLength(value) <= maxFiledBytes
    ? value
    : `\x01${toHex(sha256(utf8(value)))}`;
}

/** Events of one block, by attribute and value. */
export class EventEntries {
  readonly #entries = new Map<string, { tag: string; value: string; places: number[] }>();
  readonly #reserved: readonly string[];

  /** @param reserved tags that the index answers itself; events that use them are not filed */
  constructor(reserved: readonly string[]) {
    this.#reserved = reserved;
  }

  /** Adds the events of one transaction, or of the block itself with index 0. Only attributes marked for it are filed. */
  add(index: number, events: readonly Event[]): void {
    for (let event = 0; event < events.length; event++) {
      const { type, attributes } = events[event]!;
      if (type === '') continue;
      for (const { key, value, index: isIndexed } of attributes) {
        if (isIndexed && key !== '') this.#file(`${type}.${key}`, value, index, event);
      }
    }
  }

  all(): IterableIterator<{ tag: string; value: string; places: number[] }> {
    return this.#entries.values();
  }

  #file(tag: string, value: string, index: number, event: number): void {
    if (this.#reserved.includes(tag) || tag.includes('\0') || tag.length > 400) return;
    const name = `${tag}\0${value}`;
    const known = this.#entries.get(name);
    if (known === undefined) this.#entries.set(name, { tag, value, places: [index, event] });
    else known.places.push(index, event);
  }
}
