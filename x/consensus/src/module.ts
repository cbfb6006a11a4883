/** Consensus parameters as a module of the application. */
import { type AppModule, emptyGenesis } from '@mu/framework/module';
import { ConsensusKeeper } from './keeper.ts';
import { moduleName, storeName } from './keys.ts';
import { createMsgServer } from './msg-server.ts';
import { createQueryServer } from './query-server.ts';
import { msgService, queryService } from './services.ts';

/** The module and the keeper that the application keeps its parameters with. Their genesis is the engine's own. */
export function createConsensusModule(): AppModule & { readonly keeper: ConsensusKeeper } {
  const keeper = new ConsensusKeeper();
  return {
    keeper,
    name: moduleName,
    storeName,
    consensusVersion: 1n,
    genesis: emptyGenesis(moduleName),
    invariants: [],
    registerMsgs: (messages) => messages.registerMsgs(msgService, createMsgServer(keeper)),
    registerQueries: (router) => router.register(queryService, createQueryServer(keeper)),
  };
}
