/** Queries of the registry. Lists go over the index that the filter names; the rest of the filter is applied to it. */

import { bytesKey } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { errKeyNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { listPage, type Source } from '@mu/framework/pagination';
import {
  Node,
  PriceList,
  Provider,
  ProviderState,
  type QueryDefinition,
  type QueryProvidersRequest,
} from '@mu/proto/provider';
import type { ProviderKeeper } from './keeper.ts';
import { moduleName, nodeKey, priceListKey, regionOwnerKey } from './keys.ts';
import { nodes, ownerKey, priceLists, providers, providersByRegion } from './state.ts';

type ProviderQueries = Partial<Handlers<(typeof QueryDefinition)['methods']>>;

const all = (): boolean => true;

export function createQueryServer(keeper: ProviderKeeper): ProviderQueries {
  return {
    params: (ctx) => ({ params: keeper.params(ctx) }),
    providers(ctx, request) {
      const keeps = ({ state }: Provider): boolean =>
        request.state === ProviderState.PROVIDER_STATE_UNSPECIFIED || state === request.state;
      const { items, pagination } =
        request.region === ''
          ? listPage(ctx, allProviders, request.pagination, keeps)
          : listPage(ctx, inRegion(request), request.pagination, keeps);
      return { providers: items, pagination };
    },
    provider: (ctx, { owner }) => ({ provider: found(keeper.getProvider(ctx, owner), `provider ${owner}`) }),
    nodes(ctx, { owner, pagination: page }) {
      const source: Source<readonly [Uint8Array, string], Node> = {
        store: moduleName,
        keys: nodes,
        codec: nodeKey,
        prefix: [ownerKey(ctx, owner)],
        load: (_ctx, _key, value) => Node.decode(value),
      };
      const { items, pagination } = listPage(ctx, source, page, all);
      return { nodes: items, pagination };
    },
    priceLists(ctx, { owner, pagination: page }) {
      const source: Source<readonly [Uint8Array, bigint], PriceList> = {
        store: moduleName,
        keys: priceLists,
        codec: priceListKey,
        prefix: [ownerKey(ctx, owner)],
        load: (_ctx, _key, value) => PriceList.decode(value),
      };
      const { items, pagination } = listPage(ctx, source, page, all);
      return { priceLists: items, pagination };
    },
    priceList(ctx, { owner, version }) {
      const latest = keeper.getProvider(ctx, owner)?.priceListVersion ?? 0n;
      const asked = version === 0n ? latest : version;
      return { priceList: found(keeper.priceList(ctx, owner, asked), `price list ${asked} of ${owner}`) };
    },
  };
}

const allProviders: Source<Uint8Array, Provider> = {
  store: moduleName,
  keys: providers,
  codec: bytesKey,
  prefix: [],
  load: (_ctx, _key, value) => Provider.decode(value),
};

function inRegion({ region }: QueryProvidersRequest): Source<readonly [string, Uint8Array], Provider> {
  return {
    store: moduleName,
    keys: providersByRegion,
    codec: regionOwnerKey,
    prefix: [region],
    load: (ctx: Context, [, owner]) => providers.get(ctx, owner) as Provider,
  };
}

/** @throws AbciError key not found (22) */
function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw errKeyNotFound.wrap(`${what} does not exist`);
  return value;
}
