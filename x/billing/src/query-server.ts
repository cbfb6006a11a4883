/** Queries of x/billing over committed state. */

import type { Context } from '@mu/framework/context';
import { errKeyNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { collectionPage, type PageRequest, takePage } from '@mu/framework/pagination';
import { compareBytes } from '@mu/lib/bytes';
import type { BillLine, EscrowAccount, QueryDefinition } from '@mu/proto/billing';
import type { DeploymentId } from '@mu/proto/deployment';
import { escrowKey } from './escrows.ts';
import type { BillingKeeper } from './keeper.ts';
import { runwayOf, timeOf } from './runway.ts';
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
      const time = height === 0n ? undefined : timeOf(height, ctx.block, keeper.deps.market.blocksPerYear(ctx));
      return { height, pricePerBlock: pricePerBlock.toString(), time };
    },
    deploymentBill(ctx, { owner, dseq, pagination: request }) {
      const { owner: canonical } = escrowOf(ctx, { owner, dseq });
      const leases = keeper.deps.market.leaseNumbersOfDeployment(ctx, { owner: canonical, dseq });
      const { items, pagination } = takePage(linesOf(ctx, leases, request), request);
      return { lines: items, pagination };
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

/** Lines of several leases in their order from the request's key on; the key of a line is (lease, line). */
function* linesOf(
  ctx: Context,
  leases: readonly bigint[],
  request: PageRequest | undefined,
): IterableIterator<readonly [Uint8Array, BillLine]> {
  const { key = new Uint8Array(), reverse = false } = request ?? {};
  for (const lease of reverse ? [...leases].reverse() : leases) {
    for (const [at, line] of state.billLines.iterate(ctx, { prefix: [lease], reverse })) {
      const bytes = state.billLines.keyCodec.encode(at);
      const isBefore = key.length > 0 && (reverse ? compareBytes(bytes, key) > 0 : compareBytes(bytes, key) < 0);
      if (!isBefore) yield [bytes, line];
    }
  }
}
