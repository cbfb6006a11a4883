/** Time as blocks carry it: protobuf timestamps with nanoseconds, written as Go writes RFC 3339. */
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';

/** Go's zero time: what a commit signature of an absent validator carries. */
export const zeroTime: Timestamp = { seconds: -62_135_596_800n, nanos: 0 };

/** From milliseconds since 1970; fractions of a millisecond are dropped. */
export function timeFromMs(ms: number): Timestamp {
  const whole = Math.floor(ms);
  const seconds = Math.floor(whole / 1000);
  return { seconds: BigInt(seconds), nanos: (whole - seconds * 1000) * 1_000_000 };
}

/** Milliseconds since 1970, rounded down. */
export function timeToMs(time: Timestamp): number {
  return Number(time.seconds) * 1000 + Math.floor(time.nanos / 1_000_000);
}

/** Below zero when a is before b, above when it is after it. */
export function compareTimes(a: Timestamp, b: Timestamp): number {
  if (a.seconds !== b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return a.nanos - b.nanos;
}

/** A whole number of milliseconds later; nanoseconds are kept. */
export function addMs(time: Timestamp, ms: number): Timestamp {
  const nanos = BigInt(time.nanos) + BigInt(ms) * 1_000_000n;
  const billion = 1_000_000_000n;
  const rest = ((nanos % billion) + billion) % billion;
  return { seconds: time.seconds + (nanos - rest) / billion, nanos: Number(rest) };
}

/** Go's RFC3339Nano in UTC: the fraction without trailing zeros, none when it is zero. */
export function formatTime(time: Timestamp): string {
  const date = new Date(Number(time.seconds) * 1000).toISOString().slice(0, 19);
  const fraction = time.nanos === 0 ? '' : `.${time.nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
  return `${date}${fraction}Z`;
}

const rfc3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** Reads RFC 3339 with up to nine digits of a fraction; undefined when the text is something else. */
export function parseTime(text: string): Timestamp | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) return undefined;
  return { seconds: BigInt(ms / 1000), nanos: Number((match[2] ?? '').padEnd(9, '0')) };
}
