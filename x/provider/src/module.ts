/** The registry of providers as a module of the application. */
import { type AppModule, protoGenesis } from '@mu/framework/module';
import { GenesisState, MsgDefinition, QueryDefinition } from '@mu/proto/provider';
import { registry } from '@mu/proto/registry';
import { defaultGenesis, exportGenesis, initGenesis, validateGenesis } from './genesis.ts';
import { providerInvariants } from './invariants.ts';
import type { ProviderKeeper } from './keeper.ts';
import { moduleName } from './keys.ts';
import { createMsgServer } from './msg-server.ts';
import { createQueryServer } from './query-server.ts';

export function createProviderModule({ keeper }: { readonly keeper: ProviderKeeper }): AppModule {
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
    invariants: providerInvariants(keeper.deps),
    registerMsgs: (messages) => messages.registerMsgs(MsgDefinition, createMsgServer(keeper)),
    registerQueries: (router) => router.register(QueryDefinition, createQueryServer(keeper)),
    endBlock: (ctx) => keeper.endBlock(ctx),
  };
}
