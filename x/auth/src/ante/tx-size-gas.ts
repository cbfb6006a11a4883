/** Gas for each byte of the transaction (ConsumeTxSizeGasDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import type { Context } from '@mu/framework/context';
import type { Tx } from '@mu/framework/tx';
import type { AccountKeeper } from '../keeper.ts';
import { requiredSigners } from './signers.ts';

/**
 * Bytes that the SDK adds for a signature which a simulated transaction lacks: its amino encoding, which is a secp256k1
 * key (2 + 5 + 33) and a signature of 64 bytes (2 + 64), and 6 more.
 */
const simulatedSignatureBytes = 40n + 66n + 6n;

export function txSizeGas(auth: AccountKeeper): AnteStep {
  return {
    name: 'tx-size-gas',
    run(ctx, tx) {
      const { txSizeCostPerByte } = auth.params(ctx);
      ctx.gas.consume(txSizeCostPerByte * BigInt(ctx.txBytes.length), 'txSize');
      if (ctx.mode === 'simulate') simulateSignatures(ctx, auth, tx, txSizeCostPerByte);
      return undefined;
    },
  };
}

function simulateSignatures(ctx: Context, auth: AccountKeeper, tx: Tx, costPerByte: bigint): void {
  requiredSigners(ctx, tx).forEach((signer, at) => {
    const isComplete = tx.authInfo.signerInfos[at]?.modeInfo !== undefined && (tx.signatures[at]?.length ?? 0) > 0;
    if (isComplete) return;
    // The SDK looks the key up to know its kind; the read costs gas.
    auth.getAccount(ctx, signer);
    ctx.gas.consume(costPerByte * simulatedSignatureBytes, 'txSize');
  });
}
