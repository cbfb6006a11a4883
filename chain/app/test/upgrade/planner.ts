/** A chain whose authority plans upgrades, and programs that know some of them. */
import type { CommitStore } from '@mu/framework/store/commit-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import {
  QueryAppliedPlanRequest,
  QueryAppliedPlanResponse,
  QueryCurrentPlanRequest,
  QueryCurrentPlanResponse,
  QueryModuleVersionsRequest,
  QueryModuleVersionsResponse,
} from 'cosmjs-types/cosmos/upgrade/v1beta1/query';
import { MsgCancelUpgrade, MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';
import type { Plan } from 'cosmjs-types/cosmos/upgrade/v1beta1/upgrade';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { type MuAppOptions, muStoreNames } from '../../src/mu-app.ts';
import { type Account, accountOf, genesisFor, MuChain, withAuthority } from '../app/mu-chain.ts';

const service = '/cosmos.upgrade.v1beta1.Query';

export class Planner {
  readonly store: CommitStore;
  readonly authority: Account;
  chain: MuChain;

  private constructor(chain: MuChain, store: CommitStore, authority: Account) {
    this.chain = chain;
    this.store = store;
    this.authority = authority;
  }

  static async begin(options: Partial<MuAppOptions> = {}): Promise<Planner> {
    const [authority, user] = await Promise.all([accountOf('authority'), accountOf('user')]);
    const store = new MemoryCommitStore(muStoreNames);
    const state = withAuthority(genesisFor([authority, user]), authority);
    return new Planner(MuChain.begin(state, store, 1n, options), store, authority);
  }

  /** The node is started again, with a program that has these options. */
  restart(options: Partial<MuAppOptions> = {}): void {
    this.chain = MuChain.resume(this.store, options);
  }

  plan(name: string, height: bigint, info = '', from: Account = this.authority): Promise<ExecTxResult> {
    const message = MsgSoftwareUpgrade.fromPartial({ authority: from.address, plan: { name, height, info } });
    return this.chain.run(from, MsgSoftwareUpgrade, message);
  }

  cancel(from: Account = this.authority): Promise<ExecTxResult> {
    return this.chain.run(from, MsgCancelUpgrade, { authority: from.address });
  }

  currentPlan(): Plan | undefined {
    const source = {
      path: `${service}/CurrentPlan`,
      request: QueryCurrentPlanRequest,
      answer: QueryCurrentPlanResponse,
    };
    return this.chain.ask(source, {}).plan;
  }

  /** At which height an upgrade was applied; 0 if never. */
  applied(name: string): bigint {
    const source = {
      path: `${service}/AppliedPlan`,
      request: QueryAppliedPlanRequest,
      answer: QueryAppliedPlanResponse,
    };
    return this.chain.ask(source, { name }).height;
  }

  versions(moduleName = ''): Record<string, bigint> {
    const source = {
      path: `${service}/ModuleVersions`,
      request: QueryModuleVersionsRequest,
      answer: QueryModuleVersionsResponse,
    };
    const { moduleVersions } = this.chain.ask(source, { moduleName });
    return Object.fromEntries(moduleVersions.map(({ name, version }) => [name, version]));
  }
}
