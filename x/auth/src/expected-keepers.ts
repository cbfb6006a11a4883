/** What the checks before the messages need of other modules. */
import type { Context } from '@mu/framework/context';
import type { Coin } from '@mu/lib/amounts';

/** Takes the fee. */
export interface BankKeeper {
  /** @throws AbciError when the account lacks the coins */
  sendFromAccountToModule(ctx: Context, from: string, module: string, coins: Coin[]): void;
}
