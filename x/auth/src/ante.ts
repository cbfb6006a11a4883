/**
 * The checks before the messages, in the order of the SDK 0.53 (x/auth/ante/ante.go): the order is part of the API, as is
 * the gas that each one uses.
 */
import type { AnteStep } from '@mu/framework/ante';
import { deductFee, type GasPrice } from './ante/deduct-fee.ts';
import { extensionOptions } from './ante/extension-options.ts';
import { incrementSequence } from './ante/increment-sequence.ts';
import { setPubKey } from './ante/set-pub-key.ts';
import { blockGasLimit, setUp } from './ante/set-up.ts';
import { sigCount, sigGas } from './ante/sig-gas.ts';
import { timeout } from './ante/timeout.ts';
import { txSizeGas } from './ante/tx-size-gas.ts';
import { validateBasic, validateMemo } from './ante/validate-basic.ts';
import { verifySignatures } from './ante/verify-signatures.ts';
import type { BankKeeper } from './expected-keepers.ts';
import type { AccountKeeper } from './keeper.ts';
import { SignatureVerifier } from './signatures.ts';

export { type GasPrice, parseGasPrices } from './ante/deduct-fee.ts';

export interface AnteOptions {
  readonly auth: AccountKeeper;
  readonly bank: BankKeeper;
  /** what this node asks at least for a unit of gas; only its own CheckTx looks at it */
  readonly minGasPrices?: readonly GasPrice[];
  /** one for the whole process, so that a signature is computed once */
  readonly signatures?: SignatureVerifier;
}

export function createAnte(options: AnteOptions): AnteStep[] {
  const { auth, bank, minGasPrices = [], signatures = new SignatureVerifier() } = options;
  return [
    setUp,
    blockGasLimit,
    extensionOptions,
    validateBasic,
    timeout,
    validateMemo(auth),
    txSizeGas(auth),
    deductFee(auth, bank, minGasPrices),
    setPubKey(auth),
    sigCount(auth),
    sigGas(auth),
    verifySignatures(auth, signatures),
    incrementSequence(auth),
  ];
}
