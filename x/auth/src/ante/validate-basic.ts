/** What can be said of a transaction without the state (ValidateBasicDecorator), and its memo. */
import type { AnteStep } from '@mu/framework/ante';
import {
  errInsufficientFee,
  errInvalidRequest,
  errMemoTooLarge,
  errNoSignatures,
  errUnauthorized,
} from '@mu/framework/errors';
import { coinsToString } from '@mu/lib/amounts';
import { utf8 } from '@mu/lib/bytes';
import type { AccountKeeper } from '../keeper.ts';
import { requiredSigners } from './signers.ts';

const maxGasWanted = 2n ** 63n - 1n;

export const validateBasic: AnteStep = {
  name: 'validate-basic',
  run(ctx, tx) {
    // It was checked when the transaction came; nothing of it changes with the state.
    if (ctx.mode === 'recheck') return undefined;
    const { amount, gasLimit } = tx.authInfo.fee;
    if (gasLimit > maxGasWanted) throw errInvalidRequest.wrap(`invalid gas supplied; ${gasLimit} > ${maxGasWanted}`);
    if (amount.some((coin) => coin.amount === '')) throw errInsufficientFee.wrap('invalid fee provided: null');
    if (amount.some((coin) => coin.amount.startsWith('-'))) {
      throw errInsufficientFee.wrap(`invalid fee provided: ${coinsToString(amount)}`);
    }
    const signers = requiredSigners(ctx, tx);
    if (tx.signatures.length === 0) throw errNoSignatures.bare();
    if (tx.signatures.length !== signers.length) {
      throw errUnauthorized.wrap(`wrong number of signers; expected ${signers.length}, got ${tx.signatures.length}`);
    }
    return undefined;
  },
};

/** A memo of at most so many bytes as the parameter says. */
export function validateMemo(auth: AccountKeeper): AnteStep {
  return {
    name: 'validate-memo',
    run(ctx, tx) {
      // Without a memo the parameters are not read: gas depends on it.
      if (tx.body.memo === '') return undefined;
      const length = BigInt(utf8(tx.body.memo).length);
      const { maxMemoCharacters } = auth.params(ctx);
      if (length > maxMemoCharacters) {
        throw errMemoTooLarge.wrap(
          `maximum number of characters is ${maxMemoCharacters} but received ${length} characters`,
        );
      }
      return undefined;
    },
  };
}
