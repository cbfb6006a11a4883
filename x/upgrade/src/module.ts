/** Upgrades as a module of the application. */
import { type AppModule, emptyGenesis } from '@mu/framework/module';
import type { UpgradeWiring } from './expected-keepers.ts';
import { UpgradeKeeper } from './keeper.ts';
import { moduleName, storeName } from './keys.ts';
import { createMsgServer } from './msg-server.ts';
import { createQueryServer } from './query-server.ts';
import { msgService, queryService } from './services.ts';

/** The module, which stands first of all: an upgrade comes before everything else of its block. */
export function createUpgradeModule(wiring: UpgradeWiring): AppModule & { readonly keeper: UpgradeKeeper } {
  const keeper = new UpgradeKeeper(wiring);
  return {
    keeper,
    name: moduleName,
    storeName,
    // Version 2 keeps what was done under height and name; no chain of Mu has had version 1.
    consensusVersion: 2n,
    genesis: emptyGenesis(moduleName, (ctx) => keeper.init(ctx)),
    invariants: [],
    preBlock: (ctx) => keeper.preBlock(ctx),
    registerMsgs: (messages) => messages.registerMsgs(msgService, createMsgServer(keeper)),
    registerQueries: (router) => router.register(queryService, createQueryServer()),
  };
}
