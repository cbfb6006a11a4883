/** What a stream ends with that was reset, as a connection that the other side has reset; the code says why. */
import { resetCodes } from './frames.ts';

/** The peer has reset it, or its session is over. */
export interface StreamReset extends NodeJS.ErrnoException {
  /** One of `resetCodes`, or one that the peer alone knows. */
  readonly resetCode: number;
}

export function resetError(code: number, text: string): StreamReset {
  const error = new Error(text === '' ? `the peer has reset the stream (${code})` : text);
  return Object.assign(error, { code: 'ECONNRESET', resetCode: code });
}

/** The far side has not taken it: it may be given to another. */
export function isRefusal({ resetCode }: Partial<StreamReset>): boolean {
  return resetCode === resetCodes.refused || resetCode === resetCodes.busy;
}
