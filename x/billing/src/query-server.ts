/** Queries of x/billing over committed state. */

import type { Context } from '@mu/framework/context';
import { errKeyNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { collectionPage } from '@mu/framework/pagination';
import type { EscrowAccount, QueryDefinition } from '@mu/proto/billing';
import type { DeploymentId } from '@mu/proto/deployment';
import { escrowKey } from './escrows.ts';
import type { BillingKeeper } from './keeper.ts';
import { runwayOf } from './runway.ts';
import * as state from './state.ts';
import { intFromWire } from './wire.ts';

export function createQueryServer(keeper: BillingKeeper): Handlers<QueryDefinition['methods']> {
  /** @throws AbciError key not found (22) */
  const escrowOf = (ctx: Context, id: DeploymentId): EscrowAccount => {
    const escrow = keeper.getEscrow(ctx, id);
    if (escrow === undefined) throw errKeyNotFound.wrap(`escrow ${id.owner}/${id.dseq}`);
    return escrow;
  };
  return {
    params: (ctx) => ({ params: keeper.params(ctx) }),
    escrow: (ctx, { owner, dseq }) => ({ escrow: escrowOf(ctx, { owner, dseq }) }),
    depositors(ctx, { owner, dseq, pagination }) {
      const prefix = escrowKey(ctx, escrowOf(ctx, { owner, dseq }));
      const page = collectionPage(ctx, state.shares, pagination, prefix);
      return { shares: page.items, pagination: page.pagination };
    },
    runway(ctx, { owner, dseq }) {
      const escrow = escrowOf(ctx, { owner, dseq });
      const leases = keeper.deps.market.leasesOfDeployment(ctx, { owner: escrow.owner, dseq });
      const { height, pricePerBlock } = runwayOf(intFromWire(escrow.balance), leases);
      return { height, pricePerBlock: pricePerBlock.toString() };
    },
    bill(ctx, { lease, pagination }) {
      const page = collectionPage(ctx, state.billLines, pagination, [lease]);
      return { lines: page.items, pagination: page.pagination };
    },
    usage(ctx, { lease }) {
      const prefix = [lease];
      return {
        records: Array.from(state.usageRecords.iterate(ctx, { prefix }), ([, record]) => record),
        totals: Array.from(state.usageTotals.iterate(ctx, { prefix }), ([, total]) => total),
      };
    },
  };
}
