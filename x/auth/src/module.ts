/** Accounts as a module of the application. */
import { type AppModule, protoGenesis } from '@mu/framework/module';
import { registry } from '@mu/proto/registry';
import { GenesisState } from 'cosmjs-types/cosmos/auth/v1beta1/genesis';
import { defaultGenesis, exportGenesis, takeGenesis } from './genesis.ts';
import { authInvariants } from './invariants.ts';
import { AccountKeeper, type ModuleAccounts } from './keeper.ts';
import { moduleName, storeName } from './keys.ts';
import { createMsgServer } from './msg-server.ts';
import { createQueryServer } from './query-server.ts';
import { msgService, queryService } from './services.ts';

export interface AuthOptions {
  /** all module accounts of the chain with their permissions; `fee_collector` must be one */
  readonly moduleAccounts: ModuleAccounts;
}

/** The module and the keeper that other modules are wired with. */
export function createAuthModule(options: AuthOptions): AppModule & { readonly keeper: AccountKeeper } {
  const keeper = new AccountKeeper(options);
  return {
    keeper,
    name: moduleName,
    storeName,
    consensusVersion: 5n,
    genesis: protoGenesis({
      descriptors: registry,
      codec: GenesisState,
      defaults: defaultGenesis,
      lists: ['accounts'],
      intake: (ctx) => takeGenesis(keeper, ctx),
      export: (ctx) => exportGenesis(ctx, keeper),
    }),
    invariants: authInvariants(keeper),
    registerMsgs: (messages) => messages.registerMsgs(msgService, createMsgServer(keeper)),
    registerQueries: (router) => router.register(queryService, createQueryServer(keeper)),
  };
}
