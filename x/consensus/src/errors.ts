/** What the SDK answers without an error of its own: code 1 of codespace `undefined`, with the reason as its text. */
import { AbciError, registerError } from '@mu/framework/errors';

const errUnregistered = registerError('undefined', 1, 'unregistered error');

/** CometBFT's own words on what it would refuse. */
export function refused(reason: string): AbciError {
  return new AbciError(errUnregistered, reason);
}
