/** Who takes part in one chain of a simulation, and under which parameters it begins: all from the chain's own chance. */
import { defaultAppState } from '@mu/app/mu-app';
import { addAccount, newGenesis } from '@mu/app/node/genesis';
import type { Json } from '@mu/framework/module';
import { Dec } from '@mu/lib/dec';
import { jsonToMessage } from '@mu/lib/proto-json';
import { Params as BillingParams } from '@mu/proto/billing';
import { Params as DeploymentParams } from '@mu/proto/deployment';
import { Params as MarketParams } from '@mu/proto/market';
import { Params as ProviderParams } from '@mu/proto/provider';
import { registry } from '@mu/proto/registry';
import type { Chance } from './chance.ts';
import { denom, prefix, type WorldOptions } from './model/world.ts';
import type { Genesis } from './real/chain.ts';
import { Wallet } from './real/wallets.ts';

/** Accounts by what they do. */
export interface Actors {
  readonly users: readonly Wallet[];
  readonly providers: readonly Wallet[];
  readonly operators: readonly Wallet[];
  readonly auditors: readonly Wallet[];
  readonly stranger: Wallet;
  readonly authority: Wallet;
  readonly treasury: Wallet;
}

export interface Scenario {
  readonly actors: Actors;
  readonly world: WorldOptions;
  readonly genesis: Genesis;
}

export const chainId = 'mu-simulated';
const rich = 1_000_000_000n;

export const metrics = ['egress-bytes', 'function-invocations', 'gateway-requests', 'storage-requests'] as const;
export const regions = ['ap', 'eu', 'us'] as const;
export const services = ['mu-db', 'mu-function', 'mu-gateway'] as const;

const wallets = new Map<string, Wallet>();

function walletOf(name: string, number: number): Wallet {
  const id = `${name}/${number}`;
  const wallet = wallets.get(id) ?? new Wallet(name, BigInt(number));
  wallets.set(id, wallet);
  return wallet;
}

/** Makes the beginning of a chain. */
export function makeScenario(chance: Chance): Scenario {
  const count = { users: chance.from(3, 6), providers: chance.from(4, 7), operators: 4, auditors: 2 };
  let number = 0;
  const some = (name: string, many: number): Wallet[] =>
    Array.from({ length: many }, (_, at) => walletOf(`${name} ${at}`, number++));
  const actors: Actors = {
    users: some('user', count.users),
    providers: some('provider', count.providers),
    operators: some('operator', count.operators),
    auditors: some('auditor', count.auditors),
    stranger: walletOf('stranger', number++),
    authority: walletOf('authority', number++),
    treasury: walletOf('treasury', number++),
  };
  const params = makeParams(chance, actors.treasury.address);
  const all = [
    ...actors.users,
    ...actors.providers,
    ...actors.operators,
    ...actors.auditors,
    actors.stranger,
    actors.authority,
    actors.treasury,
  ];
  // The last user and the last provider have little: their deposits and collaterals fail.
  const poor = [actors.users.at(-1), actors.providers.at(-1)];
  const balances = all.map(({ address }, at): [string, bigint] => [address, poor.includes(all[at]) ? 40_000n : rich]);
  const state = genesisState(params, balances, actors.authority.address);
  const world = { chainId, authority: actors.authority.address, params: params.messages, balances };
  return { actors, world, genesis: { chainId, initialHeight: 1n, state } };
}

type JsonParams = { [field: string]: Json };
type Module = 'provider' | 'deployment' | 'market' | 'billing';

interface ModuleParams {
  readonly json: { readonly [N in Module]: JsonParams };
  readonly messages: WorldOptions['params'];
}

const blocks = (chance: Chance, least: number, most: number): string => `${chance.from(least, most)}`;
export const decimal = (text: string): string => Dec.fromString(text).toString();

function makeParams(chance: Chance, treasury: string): ModuleParams {
  const defaults = defaultAppState({ bech32Prefix: prefix, denom }) as { [module: string]: { params: JsonParams } };
  const changed = (name: Module, changes: JsonParams): JsonParams => ({ ...defaults[name]?.params, ...changes });
  const json = {
    provider: changed('provider', providerChanges(chance)),
    deployment: changed('deployment', { max_active_deployments: 6, max_infrastructures: 4 }),
    market: changed('market', marketChanges(chance)),
    billing: changed('billing', billingChanges(chance, treasury)),
  };
  const read = <T>(codec: { $type: string; decode(bytes: Uint8Array): T }, from: JsonParams): T =>
    codec.decode(jsonToMessage(registry, codec.$type, from));
  const messages = {
    provider: read(ProviderParams, json.provider),
    deployment: read(DeploymentParams, json.deployment),
    market: read(MarketParams, json.market),
    billing: read(BillingParams, json.billing),
  };
  return { json, messages };
}

function providerChanges(chance: Chance): JsonParams {
  const metric = (name: string, max: number): Json => ({
    name,
    service: 'mu-function',
    max_per_block: `${max}`,
    unit: 'units',
  });
  return {
    deposit: { denom, amount: '5000' },
    unbonding_blocks: blocks(chance, 3, 15),
    regions: [...regions],
    services: [...services],
    metrics: [metric(metrics[0], 0), metric(metrics[1], 1000), metric(metrics[2], 200), metric(metrics[3], 5000)],
    max_nodes: chance.from(2, 4),
  };
}

function marketChanges(chance: Chance): JsonParams {
  return {
    min_auction_blocks: blocks(chance, 3, 5),
    max_bids_per_order: chance.from(1, 4),
    max_open_bids: chance.from(3, 12),
    max_active_leases: chance.from(4, 14),
    confirmation_blocks: blocks(chance, 3, 8),
    reconfirmation_blocks: blocks(chance, 4, 12),
    max_injected_items: chance.from(1, 6),
    max_injected_cost: chance.from(5, 12),
    collateral_user_share: decimal(chance.pick(['1', '0.5', '0.333333333333333333', '0'])),
    young_lease_blocks: blocks(chance, 0, 8),
    leave_notice_blocks: blocks(chance, 2, 15),
    grace_blocks: blocks(chance, 3, 12),
    manifest_timeout_blocks: blocks(chance, 2, 8),
    interest_rate: decimal(chance.pick(['0', '0.07', '0.5', '1'])),
    max_interest_per_year: blocks(chance, 0, 300),
    blocks_per_year: blocks(chance, 30, 200),
    max_collateral: '500',
    max_confirmations: 8,
  };
}

function billingChanges(chance: Chance, treasury: string): JsonParams {
  return {
    min_deposit: blocks(chance, 1, 50),
    min_runway_blocks: blocks(chance, 0, 20),
    usage_window_blocks: blocks(chance, 2, 15),
    commission_rate: decimal(chance.pick(['0', '0.1', '0.333333333333333333', '0.9'])),
    commission_account: treasury,
    max_depositors: chance.from(2, 4),
    max_items: 5,
    max_closings_per_block: chance.from(1, 3),
  };
}

function genesisState(
  params: ModuleParams,
  balances: readonly (readonly [string, bigint])[],
  authority: string,
): Genesis['state'] {
  const appState = defaultAppState({ bech32Prefix: prefix, denom });
  const empty = newGenesis({ chainId, time: '2026-01-01T00:00:00Z', validators: [], appState });
  const funded = balances.reduce(
    (before, [address, amount]) => addAccount(before, address, `${amount}${denom}`),
    empty,
  );
  const state = { ...funded.app_state } as { [module: string]: Json };
  for (const name of ['provider', 'deployment', 'market', 'billing'] as const) {
    state[name] = { ...(state[name] as object), params: params.json[name], authority } as Json;
  }
  return state;
}
