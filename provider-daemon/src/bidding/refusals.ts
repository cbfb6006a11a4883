/** What a bid that was refused, or not sent, means for the next try. Pure. */

import { ChainError } from '@mu/client/chain/errors';

/** Refusals of x/market after which the same bid may be right: another price list, too many open bids or leases. */
const priceListCode = 14;
const boundCodes: readonly number[] = [17, 18];
/** Of codespace `sdk`: insufficient funds. */
const fundsCode = 5;

/** When a refused bid is worth another try. */
export function lastingOf(error: unknown): 'ever' | 'room' | 'soon' {
  if (!(error instanceof ChainError)) return 'soon';
  if (error.codespace === 'market') {
    if (error.code === priceListCode) return 'soon';
    return boundCodes.includes(error.code) ? 'room' : 'ever';
  }
  return error.codespace === 'sdk' && error.code === fundsCode ? 'room' : 'soon';
}
