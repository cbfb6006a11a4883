/** Queries of the registry. Lists go over the index that the filter names; the rest of the filter is applied to it. */

import { bytesKey } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { errKeyNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { listPage, type Source } from '@mu/framework/pagination';
import { Attestation, Node, PriceList, Provider, ProviderState, type QueryDefinition } from '@mu/proto/provider';
import { errRegion } from './errors.ts';
import type { ProviderKeeper } from './keeper.ts';
import { attestationKey, nodeKey, priceListKey, regionOwnerKey } from './keys.ts';
import { namePattern } from './params.ts';
import { attestations, nodes, ownerKey, priceLists, providers, providersByRegion } from './state.ts';

type ProviderQueries = Handlers<(typeof QueryDefinition)['methods']>;

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
          : listPage(ctx, inRegion(checkedRegion(request.region)), request.pagination, keeps);
      return { providers: items, pagination };
    },
    provider: (ctx, { owner }) => ({ provider: found(keeper.getProvider(ctx, owner), `provider ${owner}`) }),
    nodes(ctx, { owner, pagination: page }) {
      const source: Source<readonly [Uint8Array, string], Node> = {
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
        keys: priceLists,
        codec: priceListKey,
        prefix: [ownerKey(ctx, owner)],
        load: (_ctx, _key, value) => PriceList.decode(value),
      };
      const { items, pagination } = listPage(ctx, source, page, all);
      return { priceLists: items, pagination };
    },
    attestations(ctx, { owner, pagination: page }) {
      const source: Source<readonly [Uint8Array, Uint8Array], Attestation> = {
        keys: attestations,
        codec: attestationKey,
        prefix: [ownerKey(ctx, owner)],
        load: (_ctx, _key, value) => Attestation.decode(value),
      };
      const { items, pagination } = listPage(ctx, source, page, all);
      return { attestations: items, pagination };
    },
    priceList(ctx, { owner, version }) {
      const latest = keeper.getProvider(ctx, owner)?.priceListVersion ?? 0n;
      const asked = version === 0n ? latest : version;
      return { priceList: found(keeper.priceList(ctx, owner, asked), `price list ${asked} of ${owner}`) };
    },
  };
}

const allProviders: Source<Uint8Array, Provider> = {
  keys: providers,
  codec: bytesKey,
  prefix: [],
  load: (_ctx, _key, value) => Provider.decode(value),
};

/** A text that can be no region makes no key. @throws AbciError unknown region (6) */
function checkedRegion(region: string): string {
  if (!namePattern.test(region)) throw errRegion.wrap(region.slice(0, 64));
  return region;
}

function inRegion(region: string): Source<readonly [string, Uint8Array], Provider> {
  return {
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
