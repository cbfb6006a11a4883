/** Parameters of authentication, with the SDK's defaults. */
import type { Params } from 'cosmjs-types/cosmos/auth/v1beta1/auth';

export function defaultParams(): Params {
  return {
    maxMemoCharacters: 256n,
    txSigLimit: 7n,
    txSizeCostPerByte: 10n,
    sigVerifyCostEd25519: 590n,
    sigVerifyCostSecp256k1: 1000n,
  };
}

/** @throws Error with the SDK's text for the first parameter that is 0 */
export function validateParams(params: Params): void {
  const checks: readonly (readonly [bigint, string])[] = [
    [params.txSigLimit, 'invalid tx signature limit'],
    [params.sigVerifyCostEd25519, 'invalid ED25519 signature verification cost'],
    [params.sigVerifyCostSecp256k1, 'invalid SECK256k1 signature verification cost'],
    [params.maxMemoCharacters, 'invalid max memo characters'],
    [params.txSizeCostPerByte, 'invalid tx size cost per byte'],
  ];
  for (const [value, text] of checks) {
    if (value === 0n) throw new Error(`${text}: ${value}`);
  }
}
