/** All methods of the RPC in one table. */
import { consensusMethods } from './consensus-methods.ts';
import { infoMethods } from './info-methods.ts';
import type { RpcMethod } from './method.ts';
import { txMethods } from './tx-methods.ts';

/** Every method by its name, without those of subscriptions. */
export const methods: Readonly<Record<string, RpcMethod>> = {
  ...infoMethods,
  ...txMethods,
  ...consensusMethods,
};
