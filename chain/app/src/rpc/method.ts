/** What a method of the RPC is; helpers to define them and to read the parameters that several of them share, with CometBFT's limits and texts. */
import type { SoloEngine } from '../engine/solo-engine.ts';
import type { ParamSpec, Params } from './params.ts';

const defaultPerPage = 30;
const maxPerPage = 100;
/** Characters of a query. */
export const maxQueryLength = 512;

/** What a method may use. */
export interface RpcContext {
  engine: SoloEngine;
  nodeId: string;
  moniker: string;
  /** `tcp://host:port` of the RPC itself. */
  rpcAddress(): string;
  /** Milliseconds that broadcast_tx_commit waits for a block. */
  commitTimeoutMs: number;
}

/** One method. Its parameters have been converted already; undefined is one that was not given. */
export interface RpcMethod {
  readonly params: ParamSpec;
  /** Whether a successful answer never changes. */
  readonly isCacheable: (params: Params<ParamSpec>) => boolean;
  readonly call: (context: RpcContext, params: Params<ParamSpec>) => unknown;
}

/** A method whose implementation sees the types of its parameters. */
export function method<S extends ParamSpec>(
  params: S,
  call: (context: RpcContext, params: Params<S>) => unknown,
  isCacheable: (params: Params<S>) => boolean = () => false,
): RpcMethod {
  return {
    params,
    call: call as RpcMethod['call'],
    isCacheable: isCacheable as RpcMethod['isCacheable'],
  };
}

/** Height of the last block whose results are known. */
export function latestHeight({ state }: SoloEngine): bigint {
  return state.lastBlockHeight;
}

/** The asked height, or the latest. @throws Error with CometBFT's text */
export function heightOrLatest(engine: SoloEngine, height: bigint | undefined, latest = latestHeight(engine)): bigint {
  if (height === undefined) return latest;
  if (height <= 0n) throw new Error(`height must be greater than 0, but got ${height}`);
  if (height > latest) {
    throw new Error(`height ${height} must be less than or equal to the current blockchain height ${latest}`);
  }
  const { base } = engine.store;
  if (height < base) throw new Error(`height ${height} is not available, lowest height is ${base}`);
  return height;
}

/** How many items a page has. */
export function perPageOf(perPage: bigint | undefined): number {
  if (perPage === undefined || perPage < 1n) return defaultPerPage;
  return perPage > BigInt(maxPerPage) ? maxPerPage : Number(perPage);
}

/** The items of a page, counted from 1. @throws Error with CometBFT's text for a page that is not there */
export function pageOf<T>(items: readonly T[], page: bigint | undefined, perPage: bigint | undefined): T[] {
  const size = perPageOf(perPage);
  const pages = Math.max(1, Math.ceil(items.length / size));
  if (page !== undefined && (page <= 0n || page > BigInt(pages))) {
    throw new Error(`page should be within [1, ${pages}] range, given ${page}`);
  }
  const start = (Number(page ?? 1n) - 1) * size;
  return items.slice(start, start + size);
}

/** True for descending. @throws Error with CometBFT's text */
export function isDescending(orderBy: string | undefined, otherwise: boolean): boolean {
  if (orderBy === undefined || orderBy === '') return otherwise;
  if (orderBy !== 'asc' && orderBy !== 'desc') {
    throw new Error('expected order_by to be either `asc` or `desc` or empty');
  }
  return orderBy === 'desc';
}
