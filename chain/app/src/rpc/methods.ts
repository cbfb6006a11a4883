/** All methods of the RPC in one table: parameters, what may be cached, and what answers. */
import type { SoloEngine } from '../engine/solo-engine.ts';
import { consensusMethods } from './consensus-methods.ts';
import { infoMethods } from './info-methods.ts';
import type { ParamSpec, Params } from './params.ts';
import { txMethods } from './tx-methods.ts';

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

/** Every method by its name, without those of subscriptions. */
export const methods: Readonly<Record<string, RpcMethod>> = {
  ...infoMethods,
  ...txMethods,
  ...consensusMethods,
};
