/** The one message of auth: new parameters by the authority. */
import { errInvalidAuthority, errInvalidRequest } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import type { AccountKeeper } from './keeper.ts';
import { validateParams } from './params.ts';
import type { msgService } from './services.ts';

/** @param authority name of the module whose account may change parameters */
export function createMsgServer(keeper: AccountKeeper, authority: string): Handlers<(typeof msgService)['methods']> {
  return {
    updateParams(ctx, message) {
      const expected = toBech32(ctx.chain.bech32Prefix, moduleAddress(authority));
      if (message.authority !== expected) {
        throw errInvalidAuthority.wrap(`invalid authority; expected ${expected}, got ${message.authority}`);
      }
      try {
        validateParams(message.params);
      } catch (error) {
        throw errInvalidRequest.wrap(error instanceof Error ? error.message : 'invalid parameters');
      }
      keeper.setParams(ctx, message.params);
      return {};
    },
  };
}
