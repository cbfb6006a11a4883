/** What is remembered of the last block beside the state: checks and queries run in its light. */
import { Header } from 'cosmjs-types/tendermint/types/types';
import type { BlockInfo } from './context.ts';

export type BlockRecord = BlockInfo;

const nanosPerSecond = 1_000_000_000n;

/** A protobuf timestamp. */
export interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Nanoseconds since 1970 of a timestamp; 0 where there is none. */
export function fromTimestamp(time: Timestamp | undefined): bigint {
  return time === undefined ? 0n : time.seconds * nanosPerSecond + BigInt(time.nanos);
}

export function toTimestamp(timeNs: bigint): Timestamp {
  return { seconds: timeNs / nanosPerSecond, nanos: Number(timeNs % nanosPerSecond) };
}

/** The record as a CometBFT header with just these fields. */
export function encodeBlockRecord(record: BlockRecord): Uint8Array {
  return Header.encode(
    Header.fromPartial({
      height: record.height,
      time: toTimestamp(record.timeNs),
      proposerAddress: record.proposer,
    }),
  ).finish();
}

export function decodeBlockRecord(bytes: Uint8Array): BlockRecord {
  const header = Header.decode(bytes);
  return { height: header.height, timeNs: fromTimestamp(header.time), proposer: header.proposerAddress };
}
