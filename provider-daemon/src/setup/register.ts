/**
 * Enters a provider, its prices and its node on the chain, and brings up to date what differs from the config there: asked
 * again, nothing is left to do. Roots and encryption keys are only added here; `mu-provider rotate` replaces them.
 */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { allItems } from '@mu/client/chain/pages';
import { toEncodeObject } from '@mu/client/chain/registry';
import { equalBytes } from '@mu/lib/bytes';
import {
  type EncryptionKey,
  type MetricPrice,
  MsgAddNode,
  MsgPublishPriceList,
  MsgRegisterProvider,
  MsgUpdateProvider,
  type Node,
  type Provider,
  ProviderState,
  type RootCertificate,
} from '@mu/proto/provider';
import type { ProviderConfig } from '../config/schema.ts';
import { type Identity, signNodeCertificate } from '../identity/identity.ts';
import { gatewayUri, hostUri } from './places.ts';

/** For how many blocks a node is certified: a year of one-second blocks. */
export const nodeBlocks = 31_557_600n;

/** What of the chain is asked. */
export interface RegistrationChain {
  height(): Promise<number>;
  readonly provider: Pick<ChainClient['provider'], 'provider' | 'priceList' | 'nodes'>;
}

export interface Registration {
  readonly client: RegistrationChain;
  readonly config: ProviderConfig;
  readonly identity: Identity;
  readonly owner: string;
  readonly operator: string;
}

/** What a provider states of itself: the same in a registration and in an update. */
export type Statement = Pick<
  MsgUpdateProvider,
  | 'owner'
  | 'operators'
  | 'payoutAddress'
  | 'hostUri'
  | 'gatewayUri'
  | 'regions'
  | 'services'
  | 'attributes'
  | 'roots'
  | 'nodeAuthorityKey'
  | 'encryptionKeys'
>;

/**
 * The owner's messages by which the chain says what the config says, in their order; none: it does already.
 * @throws Error where that cannot be: the provider is leaving, or the node's id stands for another key or was used up
 */
export async function missingMessages(of: Registration): Promise<EncodeObject[]> {
  const { client, config, owner } = of;
  const before = await providerOf(client, owner);
  if (before?.state === ProviderState.PROVIDER_STATE_LEAVING) {
    throw new Error(
      `the provider is leaving the registry: its deposit returns at height ${before.unbondingHeight}; register again after that block`,
    );
  }
  const wanted = wantedStatement(of, before);
  const node = await missingNode(of, before);
  if (before === undefined || before.state === ProviderState.PROVIDER_STATE_GONE) {
    const prices = pricesOf(config);
    return [toEncodeObject(MsgRegisterProvider, { ...wanted, prices }), ...node];
  }
  const messages: EncodeObject[] = [];
  if (!isStated(wanted, before)) messages.push(toEncodeObject(MsgUpdateProvider, wanted));
  const prices = await missingPrices(of, before);
  if (prices !== undefined) messages.push(toEncodeObject(MsgPublishPriceList, { owner, prices }));
  return [...messages, ...node];
}

/** The provider where it is known to the chain, left or not. @throws ChainError */
export async function providerOf(client: RegistrationChain, owner: string): Promise<Provider | undefined> {
  return (await unlessMissing(client.provider.provider({ owner })))?.provider;
}

/** @throws ChainError */
export function nodesOf(client: RegistrationChain, owner: string): Promise<Node[]> {
  return allItems(
    (pagination) => client.provider.nodes({ owner, pagination }),
    (page) => page.nodes,
  );
}

/** By the config and the identity; of what stands there only further roots and encryption keys are kept. */
function wantedStatement({ config, identity, owner, operator }: Registration, before: Provider | undefined): Statement {
  const { offer, keys } = config;
  return {
    owner,
    operators: operator === owner ? [] : [operator],
    payoutAddress: keys.payout === '' ? owner : keys.payout,
    hostUri: hostUri(config),
    gatewayUri: gatewayUri(config),
    regions: [...offer.regions],
    services: [...offer.services],
    attributes: [...offer.attributes],
    roots: withRoot(before?.roots ?? [], identity.rootCertificate),
    nodeAuthorityKey: identity.authorityPublicKey,
    encryptionKeys: withEncryptionKey(before?.encryptionKeys ?? [], identity.encryptionPublicKey),
  };
}

/** As it stands on the chain. */
export function statementOf(provider: Provider): Statement {
  const { owner, operators, payoutAddress, hostUri: host, gatewayUri: gateway, regions, services } = provider;
  const { attributes, roots, nodeAuthorityKey, encryptionKeys } = provider;
  return {
    ...{ owner, operators, payoutAddress, hostUri: host, gatewayUri: gateway, regions, services },
    ...{ attributes, roots, nodeAuthorityKey, encryptionKeys },
  };
}

function withRoot(roots: readonly RootCertificate[], certificate: Uint8Array): RootCertificate[] {
  if (roots.some((one) => equalBytes(one.certificate, certificate))) return [...roots];
  return [...roots, { certificate, validFromHeight: 0n, validToHeight: 0n }];
}

/** A new key has an id above all that stand: an id is for one key for ever. */
export function withEncryptionKey(
  keys: readonly EncryptionKey[],
  publicKey: Uint8Array,
  validFromHeight = 0n,
): EncryptionKey[] {
  if (keys.some((one) => equalBytes(one.publicKey, publicKey))) return [...keys];
  const keyId = keys.reduce((highest, one) => Math.max(highest, one.keyId), 0) + 1;
  return [...keys, { keyId, publicKey, validFromHeight, validToHeight: 0n }];
}

/** Whether all of it stands there; lists of names say the same in any order. */
function isStated(wanted: Statement, provider: Provider): boolean {
  const sorted = (texts: readonly string[]): string => [...texts].sort((a, b) => (a < b ? -1 : 1)).join('\n');
  const text = (of: Statement): string =>
    [
      ...[sorted(of.operators), of.payoutAddress, of.hostUri, of.gatewayUri, sorted(of.regions), sorted(of.services)],
      sorted(of.attributes.map(({ key, value }) => `${key} ${value}`)),
      Buffer.from(of.nodeAuthorityKey).toString('hex'),
    ].join('\n\n');
  const standing = statementOf(provider);
  // Roots and keys are only added to: as many of them are the same ones.
  return (
    text(wanted) === text(standing) &&
    wanted.roots.length === standing.roots.length &&
    wanted.encryptionKeys.length === standing.encryptionKeys.length
  );
}

/** The message by which the node is entered, or none. @throws Error where its id cannot be used */
async function missingNode(of: Registration, provider: Provider | undefined): Promise<EncodeObject[]> {
  const { client, identity, owner } = of;
  const { nodeId } = identity.name;
  const nodes = provider === undefined ? [] : await nodesOf(client, owner);
  const known = nodes.find((node) => node.nodeId === nodeId);
  if (known === undefined) return [await addNode(of)];
  const remedy = 'an id is used once: `mu-provider rotate node --yes` makes this machine a new node';
  if (known.removedHeight !== 0n)
    throw new Error(`node ${nodeId} was removed at height ${known.removedHeight}; ${remedy}`);
  if (!equalBytes(known.publicKey, identity.nodePublicKey))
    throw new Error(`node ${nodeId} stands on the chain with another key; ${remedy}`);
  return [];
}

/**
 * Enters the node of the identity, or another one of the same authority.
 * @throws IdentityError where the authority's key is not here
 */
export async function addNode({
  client,
  config,
  identity,
  owner,
}: Omit<Registration, 'operator'>): Promise<EncodeObject> {
  const height = await client.height();
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

async function missingPrices(
  { client, config, owner }: Registration,
  { priceListVersion: version }: Provider,
): Promise<MetricPrice[] | undefined> {
  const latest = version === 0n ? undefined : (await client.provider.priceList({ owner, version })).priceList;
  return nextPrices(config, latest?.prices ?? []);
}

/** The next version of the price list; undefined where the latest says what the config says. */
export function nextPrices(config: ProviderConfig, latest: readonly MetricPrice[]): MetricPrice[] | undefined {
  const wanted = pricesOf(config);
  // The chain takes no empty list: what is no longer asked for costs 0.
  const next = wanted.length > 0 ? wanted : latest.map(({ metric }) => ({ metric, price: '0', per: 1n }));
  const text = (prices: readonly MetricPrice[]): string =>
    prices.map(({ metric, price, per }) => `${metric} ${price} ${price === '0' ? 1n : per}`).join('\n');
  return text(next) === text(latest) ? undefined : next;
}

/** Messages for people and scripts: bytes in base64, numbers of the chain as texts. */
export function shownMessages(messages: readonly EncodeObject[]): unknown[] {
  return messages.map(({ typeUrl, value }) => ({ '@type': typeUrl, ...(shown(value) as object) }));
}

function shown(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shown(one)]));
}
