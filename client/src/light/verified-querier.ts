/**
 * Queries by gRPC path of which those about one record are answered from proved state; what the node says of them is not
 * asked. Lists and computed answers have no proofs and go to the node as they are.
 */
import { utf8 } from '@mu/lib/bytes';
import { QueryEscrowRequest, QueryEscrowResponse } from '@mu/proto/billing';
import { QueryDeploymentRequest, QueryDeploymentResponse } from '@mu/proto/deployment';
import {
  QueryFulfillmentRequest,
  QueryFulfillmentResponse,
  QueryLeaseRequest,
  QueryLeaseResponse,
  QueryOrderRequest,
  QueryOrderResponse,
} from '@mu/proto/market';
import {
  QueryNodeRequest,
  QueryNodeResponse,
  QueryPriceListRequest,
  QueryPriceListResponse,
  QueryProviderRequest,
  QueryProviderResponse,
} from '@mu/proto/provider';
import {
  QueryBalanceRequest,
  QueryBalanceResponse,
  QuerySupplyOfRequest,
  QuerySupplyOfResponse,
} from 'cosmjs-types/cosmos/bank/v1beta1/query';
import type { AbciQuerier } from '../chain/query-service.ts';
import type { VerifiedState } from './verified-state.ts';

/** Answers one kind of query; undefined where it is proved that there is no such record. */
type Read = (state: VerifiedState, data: Uint8Array) => Promise<Uint8Array | undefined>;

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

function read<Q, R>(
  request: Codec<Q>,
  response: Codec<R>,
  answer: (state: VerifiedState, asked: Q) => Promise<R | undefined>,
): Read {
  return async (state, data) => {
    const found = await answer(state, request.decode(data));
    return found === undefined ? undefined : response.encode(found).finish();
  };
}

/** What of T is there, as a response that holds it. */
async function held<T, R>(record: Promise<T | undefined>, wrap: (value: T) => R): Promise<R | undefined> {
  const value = await record;
  return value === undefined ? undefined : wrap(value);
}

const reads: Readonly<Record<string, Read>> = {
  '/mu.market.v1.Query/Lease': read(QueryLeaseRequest, QueryLeaseResponse, (state, { number }) =>
    held(state.lease(number), (lease) => ({ lease })),
  ),
  '/mu.market.v1.Query/Order': read(QueryOrderRequest, QueryOrderResponse, (state, id) =>
    held(state.order(id), (order) => ({ order })),
  ),
  '/mu.market.v1.Query/Fulfillment': read(QueryFulfillmentRequest, QueryFulfillmentResponse, (state, { number }) =>
    held(state.fulfillment(number), (fulfillment) => ({ fulfillment })),
  ),
  '/mu.deployment.v1.Query/Deployment': read(QueryDeploymentRequest, QueryDeploymentResponse, (state, id) =>
    held(state.deployment(id.owner, id.dseq), (deployment) => ({ deployment })),
  ),
  '/mu.billing.v1.Query/Escrow': read(QueryEscrowRequest, QueryEscrowResponse, (state, id) =>
    held(state.escrow(id.owner, id.dseq), (escrow) => ({ escrow })),
  ),
  '/mu.provider.v1.Query/Provider': read(QueryProviderRequest, QueryProviderResponse, (state, { owner }) =>
    held(state.provider(owner), (provider) => ({ provider })),
  ),
  '/mu.provider.v1.Query/Node': read(QueryNodeRequest, QueryNodeResponse, (state, { owner, nodeId }) =>
    held(state.node(owner, nodeId), (node) => ({ node })),
  ),
  '/mu.provider.v1.Query/PriceList': read(QueryPriceListRequest, QueryPriceListResponse, async (state, asked) => {
    // Version 0 stands for the provider's latest.
    const version = asked.version || ((await state.provider(asked.owner))?.priceListVersion ?? 0n);
    return held(state.priceList(asked.owner, version), (priceList) => ({ priceList }));
  }),
  '/cosmos.bank.v1beta1.Query/Balance': read(QueryBalanceRequest, QueryBalanceResponse, async (state, asked) => ({
    balance: { denom: asked.denom, amount: (await state.balance(asked.address, asked.denom)).toString() },
  })),
  '/cosmos.bank.v1beta1.Query/SupplyOf': read(
    QuerySupplyOfRequest,
    QuerySupplyOfResponse,
    async (state, { denom }) => ({
      amount: { denom, amount: (await state.supply(denom)).toString() },
    }),
  ),
};

/** Code of a missing record over ABCI. */
const keyNotFound = 22;

/** True where a query's answer is proved. */
export function isProved(path: string): boolean {
  return Object.hasOwn(reads, path);
}

export class VerifiedQuerier implements AbciQuerier {
  readonly #state: VerifiedState;
  readonly #node: AbciQuerier;

  constructor(state: VerifiedState, node: AbciQuerier) {
    this.#state = state;
    this.#node = node;
  }

  /** @throws LightError where the node cannot prove what it must */
  async abciQuery(params: { path: string; data: Uint8Array }): ReturnType<AbciQuerier['abciQuery']> {
    const proved = Object.hasOwn(reads, params.path) ? reads[params.path] : undefined;
    if (proved === undefined) return this.#node.abciQuery(params);
    const value = await proved(this.#state, params.data);
    if (value !== undefined) return { code: 0, value };
    const log = `rpc error: code = NotFound desc = it is proved that the record does not exist: ${params.path}`;
    return { code: keyNotFound, value: utf8(''), log };
  }
}
