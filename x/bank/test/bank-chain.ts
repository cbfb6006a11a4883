/** The bank over a real auth module, on a branch of an empty store. */
import { type Context, freshContext } from '@mu/framework/context';
import { AbciError } from '@mu/framework/errors';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { toBech32 } from '@mu/lib/bech32';
import { createAuthModule } from '@mu/x-auth/module';
import { createBankModule } from '../src/module.ts';
import { createMsgServer } from '../src/msg-server.ts';

export const prefix = 'mu';

/** An account that holds 1000 umu and 50 other from genesis. */
export const alice = toBech32(prefix, new Uint8Array(20).fill(1));
/** One without coins and without a record. */
export const bob = toBech32(prefix, new Uint8Array(20).fill(2));

export class BankChain {
  readonly auth = createAuthModule({
    moduleAccounts: { fee_collector: [], billing: ['minter', 'burner'], plain: [], gov: [] },
  });
  readonly bank = createBankModule({ auth: this.auth.keeper });
  readonly msgs = createMsgServer(this.bank.keeper);
  readonly ctx: Context;

  constructor() {
    this.ctx = freshContext({
      chain: { chainId: 'bank-1', bech32Prefix: prefix, denom: 'umu' },
      block: { height: 1n, timeNs: 0n, proposer: new Uint8Array() },
      mode: 'finalize',
      stores: new BranchMultiStore(new MemoryCommitStore(['acc', 'bank'])),
    });
    this.auth.genesis.init(this.ctx, this.auth.genesis.defaults());
    const coins = [
      { denom: 'other', amount: '50' },
      { denom: 'umu', amount: '1000' },
    ];
    this.bank.genesis.init(this.ctx, {
      params: { default_send_enabled: true },
      balances: [{ address: alice, coins }],
      supply: coins,
    });
  }

  module(name: string): string {
    return this.auth.keeper.moduleAddress(this.ctx, name);
  }

  /** What a context's events say, one line each. */
  events(): string[] {
    return this.ctx.events.events.map(
      ({ type, attributes }) => `${type} ${attributes.map(([key, value]) => `${key}=${value}`).join(' ')}`,
    );
  }

  /** Broken invariants of both modules. */
  broken(): string[] {
    return [...this.auth.invariants, ...this.bank.invariants].flatMap(({ name, check }) => {
      const text = check(this.ctx);
      return text === undefined ? [] : [`${name}: ${text}`];
    });
  }
}

/** The codespace, code and text of what an action throws. */
export function refusal(action: () => unknown): [string, number, string] {
  try {
    action();
  } catch (error) {
    if (error instanceof AbciError) return [error.codespace, error.code, error.message];
    throw error;
  }
  throw new Error('it was not refused');
}

export const umu = (amount: bigint | number): { denom: string; amount: string }[] => [
  { denom: 'umu', amount: amount.toString() },
];
