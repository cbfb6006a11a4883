/** Enters a provider and its node on the chain. What stands there already is left; what differs is brought up to date. */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { toEncodeObject } from '@mu/client/chain/registry';
import {
  type MetricPrice,
  MsgAddNode,
  MsgPublishPriceList,
  MsgRegisterProvider,
  type Node,
  type Provider,
} from '@mu/proto/provider';
import type { ProviderConfig } from '../config/schema.ts';
import { type Identity, signNodeCertificate } from '../identity/identity.ts';
import { gatewayUri, hostUri } from './places.ts';

/** For how many blocks a node is certified: a year of one-second blocks. */
const nodeBlocks = 31_557_600n;

export interface Registration {
  readonly client: ChainClient;
  readonly config: ProviderConfig;
  readonly identity: Identity;
  readonly owner: string;
  readonly operator: string;
}

/** The messages that are missing on the chain, in their order; none: all is there. */
export async function missingMessages(of: Registration): Promise<EncodeObject[]> {
  const { client, config, identity, owner } = of;
  const provider = await unlessMissing(client.provider.provider({ owner }).then((found) => found.provider));
  if (provider === undefined) return [registration(of), addNode(of, await client.height())];
  const messages: EncodeObject[] = [];
  if (await pricesDiffer(of, provider))
    messages.push(toEncodeObject(MsgPublishPriceList, { owner, prices: pricesOf(config) }));
  const { nodes } = await client.provider.nodes({ owner });
  const known = nodes.find(({ nodeId }: Node) => nodeId === identity.name.nodeId);
  if (known === undefined) messages.push(addNode(of, await client.height()));
  return messages;
}

function registration({ config, identity, owner, operator }: Registration): EncodeObject {
  return toEncodeObject(MsgRegisterProvider, {
    owner,
    operators: operator === owner ? [] : [operator],
    payoutAddress: owner,
    hostUri: hostUri(config),
    gatewayUri: gatewayUri(config),
    regions: [...config.offer.regions],
    services: [...config.offer.services],
    attributes: [...config.offer.attributes],
    roots: [{ certificate: identity.rootCertificate, validFromHeight: 0n, validToHeight: 0n }],
    nodeAuthorityKey: identity.authorityPublicKey,
    encryptionKeys: [{ keyId: 1, publicKey: identity.encryptionPublicKey, validFromHeight: 0n, validToHeight: 0n }],
    prices: pricesOf(config),
  });
}

function addNode({ config, identity, owner }: Registration, height: number): EncodeObject {
  const region = config.offer.regions[0] ?? '';
  const terms = { region, validFromHeight: BigInt(height), validToHeight: BigInt(height) + nodeBlocks };
  const { certificate, signature } = signNodeCertificate(identity, terms);
  const { nodeId, publicKey } = certificate;
  return toEncodeObject(MsgAddNode, { owner, nodeId, publicKey, ...terms, signature });
}

/** The config's prices as the chain wants them: ascending by metric. */
export function pricesOf(config: ProviderConfig): MetricPrice[] {
  return [...config.usage.prices]
    .sort((a, b) => (a.metric < b.metric ? -1 : 1))
    .map(({ metric, price, per }) => ({ metric, price: price.atomicsString(), per }));
}

async function pricesDiffer({ client, config, owner }: Registration, provider: Provider): Promise<boolean> {
  const wanted = pricesOf(config);
  if (provider.priceListVersion === 0n) return wanted.length > 0;
  const { priceList } = await client.provider.priceList({ owner, version: 0n });
  const text = (prices: readonly MetricPrice[]): string =>
    prices.map(({ metric, price, per }) => `${metric} ${price} ${per}`).join('\n');
  return text(priceList?.prices ?? []) !== text(wanted);
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof ChainError && error.notFound) return undefined;
    throw error;
  }
}
