/** What a bill is verified from: records that are proved, and lists that need not be. */
import type { BillLine, EscrowAccount } from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import type { Node, PriceList } from '@mu/proto/provider';
import type { ChainClient } from '../chain/chain-client.ts';
import { unlessMissing } from '../chain/errors.ts';
import { allItems } from '../chain/pages.ts';

/** Single records; undefined where there is none. `VerifiedState` of the light client is one. */
export interface BillRecords {
  lease(number: bigint): Promise<Lease | undefined>;
  escrow(owner: string, dseq: bigint): Promise<EscrowAccount | undefined>;
  priceList(owner: string, version: bigint): Promise<PriceList | undefined>;
  node(owner: string, nodeId: string): Promise<Node | undefined>;
}

/** Lists as a node tells them: what they leave out or invent, the records show. */
export interface BillLists {
  leasesOf(owner: string, dseq: bigint): Promise<bigint[]>;
  /** @param most lines that are wanted; more may come */
  linesOf(lease: bigint, most?: number): Promise<BillLine[]>;
}

/** The lists of the node that a client speaks to. */
export function listsOf(client: ChainClient): BillLists {
  return {
    leasesOf: async (owner, dseq) => {
      const leases = await allItems(
        (pagination) => client.market.leases({ owner, dseq, pagination }),
        (answer) => answer.leases,
      );
      return leases.map(({ number }) => number);
    },
    linesOf: (lease, most) =>
      allItems(
        (pagination) => client.billing.bill({ lease, pagination }),
        (answer) => answer.lines,
        most,
      ),
  };
}

/** Records as the node tells them, for who believes it. */
export function believedRecords(client: ChainClient): BillRecords {
  return {
    lease: (number) => unlessMissing(client.market.lease({ number })).then((answer) => answer?.lease),
    escrow: (owner, dseq) => unlessMissing(client.billing.escrow({ owner, dseq })).then((answer) => answer?.escrow),
    priceList: (owner, version) =>
      version === 0n
        ? Promise.resolve(undefined)
        : unlessMissing(client.provider.priceList({ owner, version })).then((answer) => answer?.priceList),
    node: async (owner, nodeId) => {
      const nodes = await allItems(
        (pagination) => client.provider.nodes({ owner, pagination }),
        (answer) => answer.nodes,
      );
      return nodes.find((node) => node.nodeId === nodeId);
    },
  };
}
