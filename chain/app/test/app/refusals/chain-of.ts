/** A chain on which rows are run: who is on it, what it waits for, and how it is brought on. */

import { MsgCancelFulfillment } from '@mu/proto/market';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { type Actor, actors, Market, type ModuleParams, marketGenesis } from '../market.ts';
import {
  type Account,
  type AppState,
  accountOf,
  any,
  denom,
  MuChain,
  NodeKey,
  signTx,
  type Wish,
} from '../mu-chain.ts';

/** Those who are not in every test of the market. */
interface Others {
  /** may change the parameters of all modules */
  readonly authority: Account;
  /** of the provider with keys */
  readonly operator: Account;
  /** has what fees cost, and no more */
  readonly poor: Account;
  /** has more than anything on the chain can cost */
  readonly rich: Account;
  /** a provider with encryption keys, without nodes and prices */
  readonly keeper: Actor;
  /** a provider that leaves */
  readonly leaver: Actor;
}

export interface Stage {
  readonly market: Market;
  readonly who: Market['who'];
  readonly more: Others;
  /** The same chain again, where blocks themselves change the state: it gets them with harmless messages. */
  readonly twin?: MuChain;
  /** The block in which a lease was made; 0 where there is none. */
  createdAt(lease: bigint): bigint;
}

const modules = ['provider', 'deployment', 'market', 'billing'] as const;
/** More blocks than any test makes. */
export const far = '100000';

async function actor(name: string): Promise<Actor> {
  const keys = { authority: new NodeKey(`${name} authority`), node: new NodeKey(name) };
  return { ...(await accountOf(name)), ...keys, regions: ['eu'] };
}

async function others(): Promise<Others> {
  return {
    authority: await accountOf('authority'),
    operator: await accountOf('operator'),
    poor: await accountOf('poor'),
    rich: await accountOf('rich'),
    keeper: await actor('keeper'),
    leaver: await actor('leaver'),
  };
}

interface Bank {
  balances: { address: string; coins: { denom: string; amount: string }[] }[];
}

/** The genesis with other balances of some accounts; the supply is the sum again. */
function withBalances(state: AppState, balances: ReadonlyMap<string, bigint>): AppState {
  const bank = structuredClone(state['bank']) as unknown as Bank;
  for (const balance of bank.balances) {
    const amount = balances.get(balance.address);
    if (amount !== undefined) balance.coins = [{ denom, amount: `${amount}` }];
  }
  return { ...state, bank: { ...bank, supply: [] } } as unknown as AppState;
}

/** Everything waits long, unless a situation needs it to come. */
const patience: ModuleParams = {
  provider: { unbonding_blocks: far },
  market: {
    confirmation_blocks: far,
    reconfirmation_blocks: far,
    leave_notice_blocks: far,
    grace_blocks: far,
    manifest_timeout_blocks: far,
  },
  billing: { usage_window_blocks: '10000' },
};

/**
 * A chain with three providers, their price lists and nodes.
 * @param changes of parameters beyond patience
 * @param checkInvariants after every block: a refusal changes nothing, which is compared, and so breaks none
 */
export async function begin(changes: ModuleParams = {}, checkInvariants = false): Promise<Stage> {
  const [who, more] = [await actors(), await others()];
  const params = Object.fromEntries(modules.map((name) => [name, { ...patience[name], ...changes[name] }]));
  const state = marketGenesis(who, params, Object.values(more));
  for (const name of modules) Object.assign(state[name] as object, { authority: more.authority.address });
  const balances = new Map([
    [more.poor.address, 10_000_000n],
    [more.rich.address, 10n ** 60n],
  ]);
  const chain = MuChain.begin(withBalances(state, balances), undefined, 1n, { checkInvariants });
  const market = new Market(chain, who);
  for (const { code, log } of await market.register()) if (code !== 0) throw new Error(log);
  return { market, who, more, createdAt: (lease) => createdAt(market, lease) };
}

function createdAt(market: Market, lease: bigint): bigint {
  try {
    return market.lease(lease).createdHeight;
  } catch {
    return 0n;
  }
}

/** One block of messages that must be taken. */
export async function take({ market }: Stage, ...wishes: readonly Wish[]): Promise<void> {
  const { results } = await market.chain.block(...wishes);
  for (const { code, codespace, log } of results) if (code !== 0) throw new Error(`${codespace} ${code}: ${log}`);
}

/** Puts a message behind what the next block must begin with, whatever a check would say of it. */
export async function execute({ market: { chain }, twin }: Stage, wish: Wish): Promise<ExecTxResult> {
  if (twin !== undefined) await feed(twin, harmless(wish.from));
  return feed(chain, wish);
}

/** A message that no state takes; its sender pays the fee all the same. */
const harmless = (from: Account): Wish => ({
  from,
  messages: [any(MsgCancelFulfillment, MsgCancelFulfillment.fromPartial({ sender: from.address, number: 0n }))],
});

async function feed(chain: MuChain, { from, messages }: Wish): Promise<ExecTxResult> {
  const { accountNumber, sequence } = chain.account(from.address);
  const tx = await signTx(from, messages, accountNumber, sequence);
  const due = chain.due();
  const { results } = chain.feed({ height: chain.height + 1n, txs: due === undefined ? [tx] : [due, tx] }, 1);
  return results[0] as ExecTxResult;
}
