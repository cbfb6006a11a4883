/**
 * The Mu chain: which modules it has, in which order they act, and what each is handed of the others. No module knows
 * another one; here they meet.
 */
import { BaseApp } from '@mu/framework/base-app';
import type { BlockPhase } from '@mu/framework/block-executor';
import { appStoreName } from '@mu/framework/chain-constants';
import type { Context } from '@mu/framework/context';
import { runMigrations, versionsOf } from '@mu/framework/migrations';
import type { AppModule, Json } from '@mu/framework/module';
import type { CommitStore } from '@mu/framework/store/commit-store';
import type { SystemTxSource } from '@mu/framework/system-tx';
import { registry } from '@mu/proto/registry';
import { createAnte, parseGasPrices } from '@mu/x-auth/ante';
import { unverifiedClaims } from '@mu/x-auth/ante/verify-signatures';
import type { AccountKeeper } from '@mu/x-auth/keeper';
import { createAuthModule } from '@mu/x-auth/module';
import { SignatureVerifier, type UnverifiedClaim } from '@mu/x-auth/signatures';
import type { BankKeeper } from '@mu/x-bank/keeper';
import { createBankModule } from '@mu/x-bank/module';
import { BillingKeeper } from '@mu/x-billing/keeper';
import { createBillingModule } from '@mu/x-billing/module';
import type { ConsensusKeeper } from '@mu/x-consensus/keeper';
import { createConsensusModule } from '@mu/x-consensus/module';
import { DeploymentKeeper } from '@mu/x-deployment/keeper';
import { createDeploymentModule } from '@mu/x-deployment/module';
import { MarketKeeper } from '@mu/x-market/keeper';
import { createMarketModule } from '@mu/x-market/module';
import { createMarketSystemTx } from '@mu/x-market/system-tx';
import { ProviderKeeper } from '@mu/x-provider/keeper';
import { createProviderModule } from '@mu/x-provider/module';
import type { UpgradeHandler } from '@mu/x-upgrade/expected-keepers';
import type { UpgradeKeeper } from '@mu/x-upgrade/keeper';
import { createUpgradeModule } from '@mu/x-upgrade/module';
import type { Plan } from '@mu/x-upgrade/plan';
import { muUpgrades, type Upgrade } from './upgrades.ts';

/** Store names: the application's own, then in the order of the modules. */
export const muStoreNames: readonly string[] = [
  appStoreName,
  'upgrade',
  'consensus',
  'acc',
  'bank',
  'provider',
  'deployment',
  'market',
  'billing',
];

/** Accounts of modules and what they may do beyond holding coins (design §5). */
const moduleAccounts = {
  fee_collector: [],
  provider: [],
  market: ['burner'],
  billing: ['minter'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export interface MuAppOptions {
  readonly store: CommitStore;
  /** this node's least prices of gas, like `0.001umu`; empty: none */
  readonly minGasPrices?: string;
  /** checks every invariant after each block: tests and simulations */
  readonly checkInvariants?: boolean;
  /** told as each part of a block begins: for measurements */
  readonly onPhase?: (phase: BlockPhase) => void;
  /** upgrades that this program can carry out; those of its release where absent */
  readonly upgrades?: readonly Upgrade[];
  /** heights at which this node drops the plan instead of stopping; a network must do so together */
  readonly skipUpgradeHeights?: readonly bigint[];
  /** told of a due upgrade that this program cannot carry out, before FinalizeBlock throws UpgradeNeeded */
  readonly onUpgradeNeeded?: (plan: Plan) => void;
}

type UpgradeOptions = Pick<MuAppOptions, 'upgrades' | 'skipUpgradeHeights' | 'onUpgradeNeeded'>;

interface Wired {
  readonly modules: readonly AppModule[];
  readonly consensus: ConsensusKeeper;
  readonly upgrade: UpgradeKeeper;
  readonly auth: AccountKeeper;
  readonly bank: BankKeeper;
  readonly market: MarketKeeper;
}

/** The application with what a node needs to verify signatures before the application asks for them. */
export interface MuApp {
  readonly app: BaseApp;
  readonly signatures: SignatureVerifier;
  /** The signatures of these transactions that are not verified yet; none of what does not decode. Never throws. */
  unverified(txs: readonly Uint8Array[]): UnverifiedClaim[];
}

export function createMuApp(options: MuAppOptions): BaseApp {
  return createMuNodeApp(options).app;
}

export function createMuNodeApp(options: MuAppOptions): MuApp {
  const { modules, auth, bank, market, consensus, upgrade } = wire(options);
  const signatures = new SignatureVerifier();
  const minGasPrices = parseGasPrices(options.minGasPrices ?? '');
  const app = new BaseApp({
    name: 'mu',
    version: '0.1.0',
    store: options.store,
    modules,
    descriptors: registry,
    ante: createAnte({ auth, bank, minGasPrices, signatures }),
    systemTx: quietAtUpgrades(createMarketSystemTx(market), upgrade),
    params: consensus,
    checkInvariants: options.checkInvariants ?? false,
    ...(options.onPhase === undefined ? {} : { onPhase: options.onPhase }),
  });
  return { app, signatures, unverified: unverifiedBy(app, auth, signatures) };
}

function unverifiedBy(app: BaseApp, auth: AccountKeeper, verifier: SignatureVerifier): MuApp['unverified'] {
  const claimsOf = (ctx: Context, raw: Uint8Array): readonly UnverifiedClaim[] => {
    try {
      return unverifiedClaims(ctx, { auth, verifier }, app.decode(raw, ctx.chain));
    } catch {
      // Whatever is wrong with it, the application itself will say so.
      return [];
    }
  };
  return (txs) => {
    if (!app.isInitialized) return [];
    // Account numbers never change: what is committed is as good as the state that is being checked.
    const ctx = app.queryContext();
    return txs.flatMap((raw) => claimsOf(ctx, raw));
  };
}

/**
 * A block that carries out an upgrade begins with nothing (design §5): the state that its list would be made of is the
 * old program's, and the new one may read it in another way.
 */
function quietAtUpgrades(source: SystemTxSource, upgrade: UpgradeKeeper): SystemTxSource {
  return {
    signer: source.signer,
    due: (ctx, height) => (upgrade.isUpgradeHeight(ctx, height) ? [] : source.due(ctx, height)),
    settleFailure: (ctx, message, failure) => source.settleFailure(ctx, message, failure),
  };
}

/**
 * Keepers need one another in a circle. Each is handed an object that is filled as the others are made; a keeper reads
 * it when it acts, never while it is constructed.
 */
function wire(options: UpgradeOptions = {}): Wired {
  const auth = createAuthModule({ moduleAccounts });
  const bank = createBankModule({ auth: auth.keeper });
  const deps = { bank: bank.keeper, accounts: auth.keeper } as {
    bank: BankKeeper;
    accounts: AccountKeeper;
    provider: ProviderKeeper;
    deployment: DeploymentKeeper;
    market: MarketKeeper;
    billing: BillingKeeper;
    hooks: DeploymentKeeper;
  };
  deps.provider = new ProviderKeeper(deps);
  deps.deployment = new DeploymentKeeper(deps);
  deps.hooks = deps.deployment;
  deps.market = new MarketKeeper(deps);
  deps.billing = new BillingKeeper(deps);
  const consensus = createConsensusModule();
  const upgrade = createUpgradeModule({
    versions: () => versionsOf(modules),
    protocol: consensus.keeper,
    handlers: handlersOf(options.upgrades ?? muUpgrades, () => modules),
    skipHeights: new Set(options.skipUpgradeHeights ?? []),
    onNeeded: options.onUpgradeNeeded ?? (() => undefined),
  });
  const modules: readonly AppModule[] = [
    upgrade,
    consensus,
    auth,
    bank,
    createProviderModule({ keeper: deps.provider }),
    createDeploymentModule({ keeper: deps.deployment }),
    createMarketModule({ keeper: deps.market, deps }),
    createBillingModule({ keeper: deps.billing }),
  ];
  return {
    modules,
    consensus: consensus.keeper,
    upgrade: upgrade.keeper,
    auth: auth.keeper,
    bank: bank.keeper,
    market: deps.market,
  };
}

/** What each upgrade does: the modules' migrations, and its own part around them. */
function handlersOf(
  upgrades: readonly Upgrade[],
  modules: () => readonly AppModule[],
): ReadonlyMap<string, UpgradeHandler> {
  return new Map(
    upgrades.map(({ name, run }): [string, UpgradeHandler] => [
      name,
      (ctx, plan, from) => {
        // A module that the chain lacks begins with its defaults, in the chain's own denomination.
        const defaults = (module: AppModule): Json => inDenom(module.genesis.defaults(), ctx.chain.denom);
        const migrate = (): ReadonlyMap<string, bigint> => runMigrations(ctx, modules(), from, defaults);
        return run === undefined ? migrate() : run(ctx, plan, migrate);
      },
    ]),
  );
}

/** The modules as a program without a chain sees them: their genesis can be checked. */
export function muModules(): readonly AppModule[] {
  return wire().modules;
}

/** Genesis state of a new chain: every module's defaults, in its own prefix and denomination. */
export function defaultAppState(constants: { readonly bech32Prefix: string; readonly denom: string }): {
  [module: string]: Json;
} {
  const state: { [module: string]: Json } = {
    app: { bech32_prefix: constants.bech32Prefix, denom: constants.denom },
  };
  for (const module of wire().modules) state[module.name] = module.genesis.defaults();
  return inDenom(state, constants.denom) as { [module: string]: Json };
}

/** Defaults name `umu`; a chain of another denomination has that one instead. */
function inDenom(json: Json, denom: string): Json {
  if (Array.isArray(json)) return json.map((item) => inDenom(item, denom));
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      key,
      key === 'denom' && value === 'umu' ? denom : inDenom(value, denom),
    ]),
  );
}
