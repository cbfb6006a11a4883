/** Uses up the sequence of every signer, so that a transaction counts once (IncrementSequenceDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import type { AccountKeeper } from '../keeper.ts';
import { requiredSigners, signerAccount } from './signers.ts';

export function incrementSequence(auth: AccountKeeper): AnteStep {
  return {
    name: 'increment-sequence',
    run(ctx, tx) {
      for (const signer of requiredSigners(ctx, tx)) {
        const account = signerAccount(ctx, auth, signer);
        auth.setAccount(ctx, { ...account, sequence: account.sequence + 1n });
      }
      return undefined;
    },
  };
}
