/** A registry, a market and an escrow that hold just enough for x/deployment and write down what they are asked. */
import { createHash } from 'node:crypto';
import { type Context, freshContext } from '@mu/framework/context';
import { AbciError, registerError } from '@mu/framework/errors';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { toBech32 } from '@mu/lib/bech32';
import { fromUtf8, toHex, utf8 } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import {
  type Deployment,
  type DeploymentId,
  DeploymentInfrastructure,
  DeploymentState,
  MsgSubmitDeployment,
  type Params,
  ResourceGroup,
} from '@mu/proto/deployment';
import { type Provider, Params as RegistryParams } from '@mu/proto/provider';
import type { DeploymentDeps } from '../src/expected-keepers.ts';
import { DeploymentKeeper } from '../src/keeper.ts';
import { createDeploymentModule } from '../src/module.ts';
import { createMsgServer } from '../src/msg-server.ts';
import { authorityItem, paramsItem } from '../src/state.ts';

const errReserve = registerError('fake-billing', 2, 'deposit is below the reserve');
const chain = { chainId: 'mu-test-1', bech32Prefix: 'mu', denom: 'umu' };
export const address = (seed: number): string => toBech32('mu', new Uint8Array(20).fill(seed));
export const owner = address(1);
export const other = address(2);
export const provider = address(3);
export const auditor = address(4);
export const authority = address(5);
export const dec = (text: string): string => Dec.fromString(text).atomicsString();
export const reserve = 1_000n;
export const id: DeploymentId = { owner, dseq: 7n };

export function resources(parts: Parameters<typeof ResourceGroup.fromPartial>[0] = {}): ResourceGroup {
  return ResourceGroup.fromPartial({
    compute: { cpu: 100, memory: 134_217_728n, disk: 268_435_456n },
    price: dec('0.25'),
    collateral: '50',
    count: 1,
    ...parts,
  });
}

export function infrastructure(parts: Partial<DeploymentInfrastructure> = {}): DeploymentInfrastructure {
  return DeploymentInfrastructure.fromPartial({
    name: 'main',
    region: 'local',
    services: ['mu-function', 'mu-gateway'],
    resources: [resources()],
    usageLimits: [
      { metric: 'function-invocations', maxPrice: dec('1'), maxPricePer: 1_000n, maxQuantityPerBlock: 100n },
    ],
    expectedUsage: [{ metric: 'function-invocations', quantityPerBlock: 10n }],
    ...parts,
  });
}

export function submission(parts: Partial<MsgSubmitDeployment> = {}): MsgSubmitDeployment {
  return MsgSubmitDeployment.fromPartial({
    owner,
    dseq: 7n,
    name: 'SimpleApp',
    infrastructure: [infrastructure()],
    version: Buffer.alloc(32, 9),
    waitBlocks: 5n,
    deposit: { denom: 'umu', amount: '5000' },
    ...parts,
  });
}

export class World {
  readonly stores = new BranchMultiStore(new MemoryCommitStore(['deployment', 'calls']));
  /** what the market answers to an update: whether it opened an order */
  opens = true;
  readonly providers: Provider[] = [];
  /** what the market does when it is told to close a deployment */
  whenClosed: ((ctx: Context, id: DeploymentId) => void) | undefined;
  readonly deps: DeploymentDeps = {
    provider: {
      params: () =>
        RegistryParams.fromPartial({
          regions: ['local', 'east'],
          services: ['mu-db', 'mu-function', 'mu-gateway'],
          metrics: [{ name: 'function-invocations' }, { name: 'gateway-requests' }],
        }),
      getProvider: (_ctx, of) => this.providers.find((one) => one.owner === of.toLowerCase()),
    },
    bank: {
      sendFromAccountToModule: (ctx, from, module, coins) =>
        this.#call(ctx, `pay ${from} ${module} ${coins.map(({ amount }) => amount).join()}`),
    },
    market: {
      updateOrder: (ctx, { id: of, infrastructure: list, state }, index, before) => {
        this.#call(
          ctx,
          `open ${of?.dseq} ${index} ${list[index]?.name} ${state}${before === undefined ? '' : ' again'}`,
        );
        return this.opens;
      },
      removeOrder: (ctx, of, index) => this.#call(ctx, `remove ${of.dseq} ${index}`),
      tellWhenAllIsOver: (ctx, of) => this.#call(ctx, `tell ${of.dseq}`),
      closeDeployment: (ctx, of, reason) => {
        this.#call(ctx, `close ${of.dseq} ${reason} ${this.keeper.getDeployment(ctx, of)?.state}`);
        this.whenClosed?.(ctx, of);
      },
    },
    billing: {
      reserveFor: (_ctx, list) => reserve * BigInt(list.length),
      openEscrow: (ctx, of, depositor, amount, least) => {
        if (amount < least) throw errReserve.bare();
        this.#call(ctx, `escrow ${of.dseq} ${depositor} ${amount} ${least}`);
      },
      updateReserve: (ctx, of, least, orders) => this.#call(ctx, `reserve ${of.dseq} ${least} ${orders}`),
      closeEscrow: (ctx, of) => this.#call(ctx, `settle ${of.dseq}`),
    },
  };
  readonly keeper = new DeploymentKeeper(this.deps);
  readonly module = createDeploymentModule({ keeper: this.keeper });
  readonly msgs = createMsgServer(this.keeper) as Required<ReturnType<typeof createMsgServer>>;
  ctx: Context;

  constructor(params: Partial<Params> = {}, height = 10n) {
    this.ctx = this.at(height);
    this.module.genesis.init(this.ctx, this.module.genesis.defaults());
    paramsItem.set(this.ctx, { ...paramsItem.get(this.ctx), ...params });
    authorityItem.set(this.ctx, authority);
    this.at(height);
  }

  /** The same state at another height, with fresh gas and events. */
  at(height: bigint): Context {
    const block = { height, timeNs: 0n, proposer: new Uint8Array(20) };
    this.ctx = freshContext({ chain, block, mode: 'finalize', stores: this.stores });
    return this.ctx;
  }

  #call(ctx: Context, what: string): void {
    const store = ctx.stores.store('calls');
    store.set(utf8(String([...store.iterate()].length).padStart(6, '0')), utf8(what));
  }

  /** What other modules were asked, in order; a branch that was dropped left nothing. */
  calls(): string[] {
    return [...this.stores.store('calls').iterate()].map(([, what]) => fromUtf8(what));
  }

  /** As a transaction does it: on a branch that is dropped when it is refused. */
  submit(parts: Partial<MsgSubmitDeployment> = {}): void {
    const { ctx, write } = this.ctx.branch();
    this.msgs.submitDeployment(ctx, submission(parts));
    write();
  }

  cancel(of: DeploymentId = id): void {
    const { ctx, write } = this.ctx.branch();
    this.msgs.cancelDeployment(ctx, of);
    write();
  }

  deployment(of: DeploymentId = id): Deployment {
    const found = this.keeper.getDeployment(this.ctx, of);
    if (found === undefined) throw new Error(`no deployment ${of.dseq}`);
    return found;
  }

  /** Names of the invariants that do not hold, with what is broken. */
  broken(): string[] {
    return this.module.invariants.flatMap(({ name, check }) => {
      const found = check(this.ctx);
      return found === undefined ? [] : [`${name}: ${found}`];
    });
  }

  /** SHA-256 over all pairs of the module's store. */
  hash(): string {
    const hash = createHash('sha256');
    for (const [key, value] of this.stores.store('deployment').iterate()) {
      hash.update(`${toHex(key)}=${toHex(value)};`);
    }
    return hash.digest('hex');
  }
}

export const {
  DEPLOYMENT_STATE_ACTIVE: active,
  DEPLOYMENT_STATE_CLOSING: closing,
  DEPLOYMENT_STATE_CLOSED: closed,
} = DeploymentState;

/** The `codespace/code` that a call is refused with. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AbciError) return `${error.codespace}/${error.code}`;
    throw error;
  }
  return 'accepted';
}
