/** x/billing: the escrows of deployments, payments to providers, and the bills that prove them. */
import type { AppModule } from '@mu/framework/module';
import { MsgDefinition, QueryDefinition } from '@mu/proto/billing';
import { createGenesis } from './genesis.ts';
import { createInvariants } from './invariants.ts';
import type { BillingKeeper } from './keeper.ts';
import { moduleName, storeName } from './keys.ts';
import { createMsgServer } from './msg-server.ts';
import { createQueryServer } from './query-server.ts';

/** @param deps the keeper, which carries what it needs of other modules */
export function createBillingModule({ keeper }: { readonly keeper: BillingKeeper }): AppModule {
  return {
    name: moduleName,
    storeName,
    consensusVersion: 1n,
    genesis: createGenesis(keeper.deps),
    invariants: createInvariants(keeper.deps),
    registerMsgs: (messages) => messages.registerMsgs(MsgDefinition, createMsgServer(keeper)),
    registerQueries: (router) => router.register(QueryDefinition, createQueryServer(keeper)),
    endBlock: (ctx) => keeper.settleDue(ctx),
  };
}
