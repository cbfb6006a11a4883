/** Messages of upgrades: the authority plans one, or drops the plan. */
import { authorityOf } from '@mu/framework/chain-constants';
import type { Context } from '@mu/framework/context';
import type { Handlers } from '@mu/framework/message-registry';
import { errInvalidSigner } from './errors.ts';
import type { UpgradeKeeper } from './keeper.ts';
import { readPlan } from './plan.ts';
import type { msgService } from './services.ts';

export function createMsgServer(keeper: UpgradeKeeper): Handlers<(typeof msgService)['methods']> {
  return {
    softwareUpgrade(ctx, { authority, plan }) {
      requireAuthority(ctx, authority);
      keeper.schedule(ctx, readPlan(plan));
      return {};
    },
    cancelUpgrade(ctx, { authority }) {
      requireAuthority(ctx, authority);
      keeper.cancel(ctx);
      return {};
    },
  };
}

function requireAuthority(ctx: Context, given: string): void {
  const expected = authorityOf(ctx.chain);
  if (given !== expected) throw errInvalidSigner.wrap(`expected ${expected} got ${given}`);
}
