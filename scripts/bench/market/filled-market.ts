/** A committed state with a market of some size, as one of that size would have left it. */
import { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import { type Context, freshContext } from '@mu/framework/context';
import type { CommitStore, GenesisStores } from '@mu/framework/store/commit-store';
import { fromBech32 } from '@mu/lib/bech32';
import { Node, PriceList, Provider, ProviderState } from '@mu/proto/provider';
import { saveEscrow, setShares } from '@mu/x-billing/escrows';
import { billLines } from '@mu/x-billing/state';
import { lastDseq, putDeployment } from '@mu/x-deployment/state';
import { putFulfillment, putLease, putOrder } from '@mu/x-market/state';
import { putNode, putPriceList, putProvider } from '@mu/x-provider/state';
import { chainId } from '../in-process.ts';
import type { Cast, ProviderWallet } from './cast.ts';
import type { Plan } from './plan.ts';
import { type MarketRecords, recordsOf } from './records.ts';
import {
  farHeight,
  firstHeight,
  firstNumber,
  madeHeight,
  metric,
  nodeId,
  providerDeposit,
  region,
  umu,
} from './terms.ts';

export interface FillOptions {
  readonly cast: Cast;
  readonly plan: Plan;
  readonly cacheBytes: number;
}

/** Fills the stores before the genesis does, by the functions that the modules write with. */
export class FilledMarket extends LmdbCommitStore implements CommitStore {
  readonly #fill: FillOptions;

  constructor(path: string, names: readonly string[], options: FillOptions) {
    super(path, names, { cacheBytes: options.cacheBytes });
    this.#fill = options;
  }

  override beginGenesis(): GenesisStores {
    const stores = super.beginGenesis();
    const block = { height: firstHeight, timeNs: 0n, proposer: new Uint8Array() };
    const chain = { chainId, bech32Prefix: 'mu', denom: 'umu' };
    fillMarket(freshContext({ chain, block, mode: 'genesis', stores }), this.#fill);
    return stores;
  }
}

function fillMarket(ctx: Context, { cast, plan }: FillOptions): void {
  for (const one of cast.providers) putWholeProvider(ctx, cast, one);
  for (const { address } of cast.users) lastDseq.set(ctx, fromBech32(address, 'mu'), lastFilledDseq);
  const due = plan.due;
  for (let index = 0; index <= plan.size; index += 1) {
    // The last one is beyond the plan: no block touches it.
    const options = { due: due.get(index) ?? farHeight, rich: index === plan.size };
    putRecords(ctx, recordsOf(cast, index, options));
  }
}

/** Above the numbers of all sizes. */
export const lastFilledDseq = firstNumber + 100_000_000n;

function putRecords(ctx: Context, { deployment, escrow, share, orders, bids, lease, line }: MarketRecords): void {
  putDeployment(ctx, deployment, undefined);
  saveEscrow(ctx, escrow);
  setShares(ctx, share, share.depositor, BigInt(share.shares));
  for (const order of orders) putOrder(ctx, order, undefined);
  for (const bid of bids) putFulfillment(ctx, bid, undefined);
  putLease(ctx, lease, undefined);
  billLines.set(ctx, [line.lease, line.line], line);
}

function putWholeProvider(ctx: Context, cast: Cast, { address, node }: ProviderWallet): void {
  const provider = Provider.fromPartial({
    owner: address,
    operators: [cast.operator.address],
    hostUri: 'https://host.bench.example:8443',
    gatewayUri: 'https://gateway.bench.example',
    regions: [region],
    services: ['mu-function'],
    roots: [{ certificate: new Uint8Array([0x30, 0]), validFromHeight: 0n, validToHeight: 0n }],
    nodeAuthorityKey: node.publicKey,
    priceListVersion: 1n,
    deposit: { denom: 'umu', amount: `${providerDeposit}` },
    state: ProviderState.PROVIDER_STATE_ACTIVE,
    registeredHeight: madeHeight,
  });
  const prices = [{ metric, price: umu('20'), per: 1_000n }];
  putPriceList(ctx, PriceList.fromPartial({ provider: address, version: 1n, prices, height: madeHeight }));
  putProvider(ctx, provider, undefined);
  const terms = { nodeId, publicKey: node.publicKey, region, validFromHeight: 1n, validToHeight: farHeight };
  putNode(ctx, Node.fromPartial({ provider: address, ...terms, signature: new Uint8Array(64) }), undefined);
}
