/** The bank as a module of the application. */
import { type AppModule, protoGenesis } from '@mu/framework/module';
import { registry } from '@mu/proto/registry';
import { GenesisState } from 'cosmjs-types/cosmos/bank/v1beta1/genesis';
import type { AccountKeeper } from './expected-keepers.ts';
import { defaultGenesis, exportGenesis, takeGenesis } from './genesis.ts';
import { bankInvariants } from './invariants.ts';
import { BankKeeper } from './keeper.ts';
import { moduleName, storeName } from './keys.ts';
import { createMsgServer } from './msg-server.ts';
import { createQueryServer } from './query-server.ts';
import { msgService, queryService } from './services.ts';

export interface BankOptions {
  readonly auth: AccountKeeper;
  /** names of modules that nobody may send coins to; all of them by default */
  readonly blocked?: readonly string[];
}

/** The module and the keeper that other modules are wired with. Its genesis comes after that of auth. */
export function createBankModule(options: BankOptions): AppModule & { readonly keeper: BankKeeper } {
  const keeper = new BankKeeper(options);
  return {
    keeper,
    name: moduleName,
    storeName,
    consensusVersion: 4n,
    genesis: protoGenesis({
      descriptors: registry,
      codec: GenesisState,
      defaults: defaultGenesis,
      lists: ['balances'],
      intake: takeGenesis,
      export: exportGenesis,
    }),
    invariants: bankInvariants(),
    registerMsgs: (messages) => messages.registerMsgs(msgService, createMsgServer(keeper)),
    registerQueries: (router) => router.register(queryService, createQueryServer()),
  };
}
