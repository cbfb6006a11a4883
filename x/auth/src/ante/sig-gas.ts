/** How many signatures there may be, and what each costs (ValidateSigCountDecorator, SigGasConsumeDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import { errInvalidPubKey, errTooManySignatures } from '@mu/framework/errors';
import { secp256k1Url } from '../account.ts';
import type { AccountKeeper } from '../keeper.ts';
import { requiredSigners, signatureData, signerAccount } from './signers.ts';

export function sigCount(auth: AccountKeeper): AnteStep {
  return {
    name: 'sig-count',
    run(ctx, tx) {
      const { txSigLimit } = auth.params(ctx);
      // Counted are the keys that the transaction names, as in the SDK.
      let count = 0n;
      for (const { publicKey } of tx.authInfo.signerInfos) {
        if (publicKey === undefined) continue;
        count += 1n;
        if (count > txSigLimit) throw errTooManySignatures.wrap(`signatures: ${count}, limit: ${txSigLimit}`);
      }
      return undefined;
    },
  };
}

export function sigGas(auth: AccountKeeper): AnteStep {
  return {
    name: 'sig-gas',
    run(ctx, tx) {
      const { sigVerifyCostSecp256k1 } = auth.params(ctx);
      const signers = requiredSigners(ctx, tx);
      signatureData(tx).forEach((_, at) => {
        const { pubKey } = signerAccount(ctx, auth, signers[at] as Uint8Array);
        if (pubKey === undefined && ctx.mode !== 'simulate') {
          throw errInvalidPubKey.wrap('unrecognized public key type: <nil>');
        }
        if (pubKey !== undefined && pubKey.typeUrl !== secp256k1Url) {
          throw errInvalidPubKey.wrap(`unrecognized public key type: ${pubKey.typeUrl}`);
        }
        ctx.gas.consume(sigVerifyCostSecp256k1, 'ante verify: secp256k1');
      });
      return undefined;
    },
  };
}
