/** The answer to cosmos.consensus.v1.Query. */
import type { Handlers } from '@mu/framework/message-registry';
import type { ConsensusKeeper } from './keeper.ts';
import type { queryService } from './services.ts';

export function createQueryServer(keeper: ConsensusKeeper): Handlers<(typeof queryService)['methods']> {
  return { params: (ctx) => ({ params: keeper.get(ctx) }) };
}
