/**
 * Transactions by hash and by event, blocks by event: what `tx`, `tx_search` and `block_search` answer from. Written in
 * the same database transaction as the state, so a transaction is found as soon as its block is announced.
 */
import { concatBytes, fromHex, readU64be, u64be } from '@mu/lib/bytes';
import { encodeVarint } from '@mu/lib/varint';
import { BinaryWriter } from 'cosmjs-types/binary';
import { type Event, ExecTxResult, ResponseFinalizeBlock, TxResult } from 'cosmjs-types/tendermint/abci/types';
import type { Database } from 'lmdb';
import { txHash } from './block.ts';
import { EventEntries, EventIndex, type HeightBounds } from './event-index.ts';
import { type Condition, matchesValue, type Query } from './query/query.ts';

type BinaryDatabase = Database<Buffer, Buffer>;

const txHeightTag = 'tx.height';
const txHashTag = 'tx.hash';
const blockHeightTag = 'block.height';
const hashBytes = 32;

/** Databases of the index. */
export interface TxIndexDatabases {
  /** hash → result with the transaction */
  results: BinaryDatabase;
  /** height → hashes in the block's order */
  hashes: BinaryDatabase;
  txEvents: BinaryDatabase;
  blockEvents: BinaryDatabase;
}

/** What the index keeps of a block. */
export interface IndexedBlock {
  height: bigint;
  txs: readonly Uint8Array[];
  results: readonly ExecTxResult[];
  /** The results as protobuf, in the same order: they are needed twice and made once. */
  encodedResults: readonly Uint8Array[];
  events: readonly Event[];
}

/** Each result as protobuf. */
export function encodeResults(results: readonly ExecTxResult[]): Uint8Array[] {
  return results.map((result) => ExecTxResult.encode(result).finish());
}

/** The whole response as protobuf, from results that are encoded already. */
export function encodeResponse(response: ResponseFinalizeBlock, encodedResults: readonly Uint8Array[]): Uint8Array {
  const rest = ResponseFinalizeBlock.encode({ ...response, txResults: [] }).finish();
  const parts: Uint8Array[] = [rest];
  for (const result of encodedResults) parts.push(resultTag, encodeVarint(result.length), result);
  return concatBytes(...parts);
}

/** Tag of `tx_results`: field 2, length-delimited. */
const resultTag = new Uint8Array([18]);

export class TxIndex {
  readonly #results: BinaryDatabase;
  readonly #hashes: BinaryDatabase;
  readonly #txEvents: EventIndex;
  readonly #blockEvents: EventIndex;

  constructor(databases: TxIndexDatabases) {
    this.#results = databases.results;
    this.#hashes = databases.hashes;
    this.#txEvents = new EventIndex(databases.txEvents);
    this.#blockEvents = new EventIndex(databases.blockEvents);
  }

  /** Part of the caller's transaction. */
  add({ height, txs, results, encodedResults, events }: IndexedBlock): void {
    const hashes = txs.map(txHash);
    this.#hashes.putSync(asBuffer(u64be(height)), Buffer.concat(hashes));
    const txEvents = new EventEntries([txHeightTag, txHashTag]);
    txs.forEach((tx, index) => {
      const result = results[index]!;
      txEvents.add(index, result.events);
      if (result.code === 0 || !this.#hasSucceeded(hashes[index]!)) {
        this.#results.putSync(asBuffer(hashes[index]!), encodeTxResult(height, index, tx, encodedResults[index]!));
      }
    });
    this.#txEvents.add(height, txEvents);
    const blockEvents = new EventEntries([blockHeightTag]);
    blockEvents.add(0, events);
    this.#blockEvents.add(height, blockEvents);
  }

  /** The transaction with its result; the successful one where the same bytes were in several blocks. */
  get(hash: Uint8Array): TxResult | undefined {
    if (hash.length !== hashBytes) return undefined;
    const bytes = this.#results.get(asBuffer(hash));
    return bytes === undefined ? undefined : TxResult.decode(bytes);
  }

  /** Hashes of the transactions that fulfil the query, by height and place. @throws Error on a hash that is no hex */
  searchTxs(query: Query): Uint8Array[] {
    const byHash = query.conditions.find(({ tag }) => tag === txHashTag);
    if (byHash?.argument !== undefined) {
      const hash = fromHex(byHash.argument.text);
      return this.get(hash) === undefined ? [] : [hash];
    }
    const { heights, others } = split(query, txHeightTag);
    const bounds = boundsOf(heights);
    if (others.length === 0) return this.#allHashes(heights, bounds);
    const found = new Map<string, { height: bigint; index: number }>();
    for (const { height, index } of this.#txEvents.find(others, bounds)) {
      if (heights.every((condition) => matchesValue(condition, height.toString()))) {
        found.set(`${height}/${index}`, { height, index });
      }
    }
    const places = [...found.values()].sort((a, b) => Number(a.height - b.height) || a.index - b.index);
    return places.flatMap(({ height, index }) => this.#hashAt(height, index) ?? []);
  }

  /** Heights of the blocks whose own events fulfil the query, ascending; of stored blocks for one on heights alone. */
  searchBlocks(query: Query, stored: HeightBounds): bigint[] {
    const { heights, others } = split(query, blockHeightTag);
    const bounds = boundsOf(heights);
    const holds = (height: bigint): boolean => heights.every((condition) => matchesValue(condition, height.toString()));
    if (others.length > 0) {
      const found = new Set(this.#blockEvents.find(others, bounds).map(({ height }) => height));
      return [...found].filter(holds).sort((a, b) => Number(a - b));
    }
    const out: bigint[] = [];
    const high = bounds.high < stored.high ? bounds.high : stored.high;
    for (let height = bounds.low > stored.low ? bounds.low : stored.low; height <= high; height++) {
      if (holds(height)) out.push(height);
    }
    return out;
  }

  #hasSucceeded(hash: Uint8Array): boolean {
    return this.get(hash)?.result.code === 0;
  }

  #hashAt(height: bigint, index: number): Uint8Array | undefined {
    const hashes = this.#hashes.get(asBuffer(u64be(height)));
    return hashes?.subarray(index * hashBytes, (index + 1) * hashBytes);
  }

  #allHashes(heights: readonly Condition[], { low, high }: HeightBounds): Uint8Array[] {
    if (high < low) return [];
    const out: Uint8Array[] = [];
    const range = { start: asBuffer(u64be(low)), end: asBuffer(u64be(high + 1n)) };
    for (const { key, value } of this.#hashes.getRange(range)) {
      if (!heights.every((condition) => matchesValue(condition, readU64be(key).toString()))) continue;
      for (let at = 0; at < value.length; at += hashBytes) out.push(value.subarray(at, at + hashBytes));
    }
    return out;
  }
}

function split(query: Query, heightTag: string): { heights: Condition[]; others: Condition[] } {
  const heights = query.conditions.filter(({ tag }) => tag === heightTag);
  return { heights, others: query.conditions.filter(({ tag }) => tag !== heightTag) };
}

const greatestHeight = (1n << 63n) - 2n;

/** Heights outside of which no condition can hold; the conditions themselves are checked besides. */
function boundsOf(conditions: readonly Condition[]): HeightBounds {
  const bounds = { low: 0n, high: greatestHeight };
  for (const { operator, argument } of conditions) {
    if (argument?.kind !== 'number') continue;
    const whole = BigInt(argument.text.split('.')[0]!);
    const limit = whole > greatestHeight ? greatestHeight : whole;
    if (['=', '>', '>='].includes(operator) && limit > bounds.low) bounds.low = limit;
    if (['=', '<', '<='].includes(operator) && limit < bounds.high) bounds.high = limit;
  }
  return bounds;
}

function encodeTxResult(height: bigint, index: number, tx: Uint8Array, result: Uint8Array): Buffer {
  const writer = new BinaryWriter().uint32(8).int64(height);
  if (index !== 0) writer.uint32(16).uint32(index);
  return asBuffer(writer.uint32(26).bytes(tx).uint32(34).bytes(result).finish());
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
