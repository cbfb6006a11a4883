/** Errors of codespace `bank`, with the SDK's codes and texts (x/bank/types/errors.go). */
import { registerError } from '@mu/framework/errors';

export const errNoInputs = registerError('bank', 2, 'no inputs to send transaction');
export const errNoOutputs = registerError('bank', 3, 'no outputs to send transaction');
export const errInputOutputMismatch = registerError('bank', 4, 'sum inputs != sum outputs');
export const errSendDisabled = registerError('bank', 5, 'send transactions are disabled');
export const errMultipleSenders = registerError('bank', 9, 'multiple senders not allowed');
