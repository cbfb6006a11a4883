/**
 * Facts of a chain that genesis sets once. They stand in a store of their own, so that the app hash covers them and a
 * node that begins from a snapshot has them.
 */

import { moduleAddress } from '@mu/lib/address';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { fromUtf8, utf8 } from '@mu/lib/bytes';
import type { ChainConstants } from './context.ts';
import { errInvalidRequest } from './errors.ts';
import type { Json } from './module.ts';
import type { MultiStore } from './store/kv-store.ts';

/** The store that the application itself has, beside those of its modules. */
export const appStoreName = 'app';

const constantsKey = utf8('constants');
const knownFields = ['bech32_prefix', 'denom', 'authority'];

/** What a store holds; undefined before genesis. */
export function loadConstants(stores: MultiStore): ChainConstants | undefined {
  const bytes = stores.store(appStoreName).get(constantsKey);
  return bytes === undefined ? undefined : (JSON.parse(fromUtf8(bytes)) as ChainConstants);
}

export function storeConstants(stores: MultiStore, constants: ChainConstants): void {
  const { chainId, bech32Prefix, denom, authority } = constants;
  // Keys in a fixed order: these bytes are state.
  stores.store(appStoreName).set(constantsKey, utf8(JSON.stringify({ chainId, bech32Prefix, denom, authority })));
}

/** The account that may change parameters and plan upgrades: who genesis names, else the account of governance. */
export function authorityOf(chain: ChainConstants): string {
  return chain.authority ?? toBech32(chain.bech32Prefix, moduleAddress('gov'));
}

/** Constants from `app_state.app` of genesis. @throws AbciError invalid request (18) with the field that is wrong */
export function readConstants(chainId: string, state: { readonly [module: string]: Json }): ChainConstants {
  const app = (state['app'] ?? {}) as { [key: string]: Json };
  const unknown = Object.keys(app).find((key) => !knownFields.includes(key));
  if (unknown !== undefined) {
    throw errInvalidRequest.wrap(`app_state.app has no field ${unknown}; it has ${knownFields.join(', ')}`);
  }
  const { bech32_prefix: prefix = 'mu', denom = 'umu', authority = '' } = app;
  if (typeof prefix !== 'string' || !/^[a-z]{1,20}$/.test(prefix)) {
    throw errInvalidRequest.wrap('app_state.app.bech32_prefix is 1 to 20 letters a to z');
  }
  if (typeof denom !== 'string' || !/^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/.test(denom)) {
    throw errInvalidRequest.wrap('app_state.app.denom is not a denomination');
  }
  const constants = { chainId, bech32Prefix: prefix, denom };
  if (authority === '') return constants;
  return { ...constants, authority: requireAddress(authority, prefix) };
}

function requireAddress(authority: Json, prefix: string): string {
  try {
    if (typeof authority !== 'string') throw new Error('not a text');
    return toBech32(prefix, fromBech32(authority, prefix));
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw errInvalidRequest.wrap(`app_state.app.authority is not an address of this chain (${why})`);
  }
}
