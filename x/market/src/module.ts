/** The market as a module of the application. */
import { type AppModule, protoGenesis } from '@mu/framework/module';
import { GenesisState, MsgDefinition, QueryDefinition } from '@mu/proto/market';
import { registry } from '@mu/proto/registry';
import type { MarketDeps } from './expected-keepers.ts';
import { defaultGenesis, exportGenesis, initGenesis, validateGenesis } from './genesis.ts';
import { marketInvariants } from './invariants.ts';
import type { MarketKeeper } from './keeper.ts';
import { moduleName } from './keys.ts';
import { createMsgServer } from './msg-server.ts';
import { createQueryServer } from './query-server.ts';

/** @param deps the same object that the keeper was made of */
export function createMarketModule(options: { readonly keeper: MarketKeeper; readonly deps: MarketDeps }): AppModule {
  const { keeper, deps } = options;
  return {
    name: moduleName,
    storeName: moduleName,
    consensusVersion: 1n,
    genesis: protoGenesis({
      descriptors: registry,
      codec: GenesisState,
      defaults: defaultGenesis,
      validate: validateGenesis,
      init: initGenesis,
      export: exportGenesis,
    }),
    invariants: marketInvariants(deps),
    registerMsgs: (messages) => messages.registerMsgs(MsgDefinition, createMsgServer(keeper, deps)),
    registerQueries: (router) => router.register(QueryDefinition, createQueryServer()),
    endBlock: (ctx) => keeper.endGraces(ctx),
  };
}
