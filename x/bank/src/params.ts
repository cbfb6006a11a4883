/** Parameters of the bank. */
import { Params } from 'cosmjs-types/cosmos/bank/v1beta1/bank';

export function defaultParams(): Params {
  return { sendEnabled: [], defaultSendEnabled: true };
}

/** @throws Error with the SDK's text: the list has moved into the state's own entries */
export function validateParams(params: Params): void {
  if (params.sendEnabled.length > 0) throw new Error('use of send_enabled in params is no longer supported');
}

export { Params };
