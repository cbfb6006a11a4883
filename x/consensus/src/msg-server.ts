/** The one message: new consensus parameters by the authority. What an engine would stop at is refused here. */
import { authorityOf } from '@mu/framework/chain-constants';
import {
  cometProblem,
  extensionsProblem,
  type FullConsensusParams,
  keyTypesProblem,
  starvation,
} from '@mu/framework/consensus-params';
import { errInvalidAuthority, errInvalidRequest } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import type { MsgUpdateParams } from 'cosmjs-types/cosmos/consensus/v1/tx';
import { refused } from './errors.ts';
import { type AskedParams, emitUpdated } from './events.ts';
import type { ConsensusKeeper } from './keeper.ts';
import type { msgService } from './services.ts';

export function createMsgServer(keeper: ConsensusKeeper): Handlers<(typeof msgService)['methods']> {
  return {
    updateParams(ctx, message) {
      const expected = authorityOf(ctx.chain);
      if (message.authority !== expected) {
        throw errInvalidAuthority.wrap(`invalid authority; expected ${expected}, got ${message.authority}`);
      }
      const asked = askedParams(message);
      const now = keeper.get(ctx);
      // The version is the upgrades' to change: the message has none.
      const next: FullConsensusParams = { ...asked, version: now.version, abci: asked.abci ?? now.abci };
      const unfit = cometProblem(next) ?? extensionsProblem(now.abci, asked.abci, ctx.height);
      if (unfit !== undefined) throw refused(unfit);
      const stopping = starvation(next) ?? keyTypesProblem(now.validator, next.validator);
      if (stopping !== undefined) throw errInvalidRequest.wrap(stopping);
      keeper.set(ctx, next);
      emitUpdated(ctx, message.authority, asked);
      return {};
    },
  };
}

/** @throws AbciError undefined (1) unless all sections but the extensions' are there */
function askedParams({ block, evidence, validator, abci }: MsgUpdateParams): AskedParams {
  if (block === undefined || evidence === undefined || validator === undefined) {
    throw refused('all parameters must be present');
  }
  return { block, evidence, validator, abci };
}
