/** What a lie is made of, that a light client must catch: one thing changed in one answer. */
import type { LightErrorKind, LightFault } from '@mu/client/light/errors';
import { fromBase64, toBase64 } from '@mu/lib/bytes';
import type { Json, Lie } from '../lying-rpc.ts';

/** A lie and how it is named when it is caught. */
export interface Case {
  readonly name: string;
  readonly lie: Lie;
  readonly kind: LightErrorKind;
  readonly fault?: LightFault;
  readonly about?: 'poor';
}

/** The same with one bit changed. @param at where in it: 0 to 1 */
export function flipBase64(text: string, at = 0.5): string {
  const bytes = fromBase64(text).slice();
  const place = Math.floor(bytes.length * at);
  bytes[place] = (bytes[place] as number) ^ 0x10;
  return toBase64(bytes);
}

/** The same with one digit changed. */
export function flipHex(text: string): string {
  return `${text.slice(0, 10)}${text[10] === 'A' ? 'B' : 'A'}${text.slice(11)}`;
}

/** A lie about what `abci_query` answers. */
export function response(change: (response: Json) => void | Promise<void>): Lie {
  return async (result) => {
    await change(result.response);
    return result;
  };
}

/** A lie about the header or the commit that `commit` answers. */
export function signed(change: (header: Json, commit: Json) => void): Lie {
  return (result) => {
    change(result.signed_header.header, result.signed_header.commit);
    return result;
  };
}

/** A lie about what `validators` answers. */
export const set =
  (change: (result: Json) => void): Lie =>
  (result) => {
    change(result);
    return result;
  };
