/** Queries of the registry. */
import { errKeyNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { listPage, type Source } from '@mu/framework/pagination';
import { Attestation, Node, PriceList, type QueryDefinition } from '@mu/proto/provider';
import type { ProviderKeeper } from './keeper.ts';
import { attestationKey, nodeKey, priceListKey } from './keys.ts';
import { providerPage } from './provider-list.ts';
import { attestations, nodes, ownerKey, priceLists } from './state.ts';

type ProviderQueries = Handlers<(typeof QueryDefinition)['methods']>;

const all = (): boolean => true;

export function createQueryServer(keeper: ProviderKeeper): ProviderQueries {
  return {
    params: (ctx) => ({ params: keeper.params(ctx) }),
    providers(ctx, request) {
      const { items, pagination } = providerPage(ctx, request);
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
    node: (ctx, { owner, nodeId }) => ({
      node: found(keeper.getNode(ctx, owner, nodeId), `node ${nodeId} of ${owner}`),
    }),
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

/** @throws AbciError key not found (22) */
function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw errKeyNotFound.wrap(`${what} does not exist`);
  return value;
}
