/**
 * How CometBFT 0.38 writes JSON: 64-bit integers as texts, hashes in upper-case hex, other bytes in base64, Go's nil slices
 * as null. Where it uses its protobuf JSON instead of its own, everything is written out. The shapes of results, field by
 * field, stand in the …-shapes.ts beside this.
 */
import { toBase64, toHex } from '@mu/lib/bytes';

const specialCharacters = /[<>&\u2028\u2029]/g;

/** JSON as Go writes it: the characters that HTML minds are escaped. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    specialCharacters,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Upper-case hex; empty for no bytes. */
export function hex(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase();
}

/** Base64, null for no bytes. */
export function base64OrNull(bytes: Uint8Array): string | null {
  return bytes.length === 0 ? null : toBase64(bytes);
}

/** The list, null for an empty one. */
export function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

/** The fields that are not zero, as Go's `omitempty` leaves them. */
export function omitEmpty(fields: Record<string, unknown>): object {
  const isEmpty = (value: unknown): boolean => value === '' || value === 0 || value === '0' || value === null;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && !isEmpty(value)));
}
