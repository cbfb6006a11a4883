/** The one message of auth: new parameters by the authority. */
import { authorityOf } from '@mu/framework/chain-constants';
import { errInvalidAuthority, errInvalidRequest } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import type { AccountKeeper } from './keeper.ts';
import { validateParams } from './params.ts';
import type { msgService } from './services.ts';

export function createMsgServer(keeper: AccountKeeper): Handlers<(typeof msgService)['methods']> {
  return {
    updateParams(ctx, message) {
      const expected = authorityOf(ctx.chain);
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
