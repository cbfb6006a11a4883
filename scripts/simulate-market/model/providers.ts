/** The registry (x/provider/README.md). */
import { createPublicKey, verify } from 'node:crypto';
import { nodeSignBytes } from '@mu/lib/sign-bytes';
import type {
  Attribute,
  EncryptionKey,
  MetricPrice,
  MsgAddNode,
  MsgAttestProvider,
  MsgRegisterProvider,
  MsgRemoveNode,
  MsgUpdateProvider,
  Params,
  RootCertificate,
} from '@mu/proto/provider';
import { NodeCertificate } from '@mu/proto/provider';
import { isAddress, orderOfAddresses } from './addresses.ts';
import type { ModelProvider } from './records.ts';
import { found, need, Refusal } from './refusal.ts';
import { accounts, type World } from './world.ts';

const space = 'provider';
export const providerStates = { active: 1, leaving: 2, gone: 3 } as const;
const retired = 1;
const compromised = 2;

export const providerOf = (world: World, owner: string): ModelProvider | undefined =>
  world.lists.provider.find((one) => one.owner === owner);

/** Whether the sender is the owner or an operator. */
export function acts(world: World, owner: string, sender: string): boolean {
  const provider = providerOf(world, owner);
  return provider !== undefined && [provider.owner, ...provider.operators].includes(sender);
}

/** Where a provider is paid, the best first. */
export function receiversOf(world: World, owner: string): string[] {
  return [providerOf(world, owner)?.payout ?? owner, owner];
}

export const listOf = (world: World, owner: string, version: bigint) =>
  world.lists.list.find((one) => one.provider === owner && one.version === version);

function required(world: World, owner: string): ModelProvider {
  return found(providerOf(world, owner), space, 3);
}

function requiredActive(world: World, owner: string): ModelProvider {
  const provider = required(world, owner);
  need(provider.state === providerStates.active, space, 4);
  return provider;
}

const distinct = (list: readonly unknown[]): boolean => new Set(list).size === list.length;

function needNames(names: readonly string[], known: readonly string[], code: number): void {
  need(names.length > 0 && distinct(names) && names.every((name) => known.includes(name)), space, code);
}

function needAttributes(attributes: readonly Attribute[], most: number): void {
  const fits = ({ key, value }: Attribute): boolean =>
    /^[a-z0-9./-]{1,64}$/.test(key) && /^[\x20-\x7e]{1,128}$/.test(value);
  need(attributes.length <= most && distinct(attributes.map(({ key }) => key)) && attributes.every(fits), space, 12);
}

/** The guards that a registration and an update share, in their order. */
function needStated(world: World, message: MsgRegisterProvider | MsgUpdateProvider): void {
  const params = world.single('provider');
  need(message.operators.length <= params.maxOperators && distinct(message.operators), space, 9);
  need(message.operators.every(isAddress), 'sdk', 7);
  need(/^https:\/\/[a-z0-9.-]+:[1-9][0-9]*$/.test(message.hostUri), space, 5);
  need(/^https?:\/\/[a-z0-9.-]+(:[1-9][0-9]*)?$/.test(message.gatewayUri), space, 5);
  needNames(message.regions, params.regions, 6);
  needNames(message.services, params.services, 7);
  needAttributes(message.attributes, params.maxAttributes);
  needRoots(world, message.roots);
  need(message.nodeAuthorityKey.length === 32, space, 10);
  needKeys(message.encryptionKeys, providerOf(world, message.owner)?.stated.encryptionKeys ?? [], params);
  need(message.payoutAddress === '' || isAddress(message.payoutAddress), 'sdk', 7);
}

/** Each root stands once, and not all of them are over. */
function needRoots(world: World, roots: readonly RootCertificate[]): void {
  need(roots.length > 0 && roots.length <= world.single('provider').maxRoots, space, 11);
  need(distinct(roots.map(({ certificate }) => textOf(certificate))), space, 11);
  need(
    roots.some(({ validToHeight }) => validToHeight === 0n || validToHeight >= world.height),
    space,
    11,
  );
  need(
    roots.every(({ certificate }) => certificate[0] === 0x30),
    space,
    11,
  );
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** An id means one key for ever: new ones are above all that stand, the highest of which stays until then. */
function needKeys(keys: readonly EncryptionKey[], standing: readonly EncryptionKey[], params: Params): void {
  need(keys.length <= params.maxEncryptionKeys && distinct(keys.map(({ keyId }) => keyId)), space, 10);
  need(
    keys.every(({ publicKey }) => publicKey.length === 32),
    space,
    10,
  );
  const last = Math.max(-1, ...standing.map(({ keyId }) => keyId));
  for (const { keyId, publicKey } of keys) {
    const own = standing.find((one) => one.keyId === keyId);
    need(own === undefined ? keyId > last : textOf(own.publicKey) === textOf(publicKey), space, 25);
  }
  need(last < 0 || keys.some(({ keyId }) => keyId >= last), space, 26);
}

function needPrices(world: World, prices: readonly MetricPrice[], version: bigint): void {
  const params = world.single('provider');
  need(prices.length > 0 && prices.length <= params.maxPrices, space, 13);
  need(
    prices.every(({ metric }) => params.metrics.some(({ name }) => name === metric)),
    space,
    8,
  );
  prices.forEach(({ metric, price, per }, at) => {
    const before = prices[at - 1];
    need(before === undefined || before.metric < metric, space, 13);
    need(per >= 1n && !price.startsWith('-'), space, 13);
  });
  need(version < params.maxPriceLists, space, 14);
}

function statedBy(message: MsgRegisterProvider | MsgUpdateProvider): ModelProvider['stated'] {
  const { hostUri, gatewayUri, regions, services, attributes, roots, nodeAuthorityKey, encryptionKeys } = message;
  return { hostUri, gatewayUri, regions, services, attributes, roots, nodeAuthorityKey, encryptionKeys };
}

const publish = (world: World, provider: ModelProvider, prices: readonly MetricPrice[]): void => {
  const version = provider.version + 1n;
  world.add({ kind: 'list', provider: provider.owner, version, prices, height: world.height });
  world.change(provider, { version });
};

export function registerProvider(world: World, message: MsgRegisterProvider): object {
  const { owner, prices } = message;
  const before = providerOf(world, owner);
  need(before === undefined || before.state === providerStates.gone, space, 2);
  needStated(world, message);
  if (prices.length > 0) needPrices(world, prices, before?.version ?? 0n);
  const deposit = BigInt(world.single('provider').deposit?.amount ?? '0');
  world.move(owner, accounts.provider, deposit);
  const fields = {
    operators: message.operators,
    payout: message.payoutAddress || owner,
    stated: statedBy(message),
    deposit,
    state: providerStates.active,
    registered: world.height,
    unbonding: 0n,
  };
  const provider = before ?? world.add({ kind: 'provider', owner, version: 0n, ...fields });
  world.change(provider, fields);
  if (prices.length > 0) publish(world, provider, prices);
  return { priceListVersion: provider.version };
}

export function updateProvider(world: World, message: MsgUpdateProvider): object {
  const provider = requiredActive(world, message.owner);
  needStated(world, message);
  const payout = message.payoutAddress || message.owner;
  world.change(provider, { operators: message.operators, payout, stated: statedBy(message) });
  return {};
}

export function publishPriceList(world: World, message: { owner: string; prices: MetricPrice[] }): object {
  const provider = requiredActive(world, message.owner);
  needPrices(world, message.prices, provider.version);
  publish(world, provider, message.prices);
  return { version: provider.version };
}

export function addNode(world: World, message: MsgAddNode): object {
  const { owner, nodeId, signature, ...terms } = message;
  const provider = requiredActive(world, owner);
  const own = world.lists.node.filter((one) => one.node.provider === owner);
  need(!own.some(({ node }) => node.nodeId === nodeId), space, 15);
  need(/^[a-z0-9-]{1,64}$/.test(nodeId), space, 17);
  need(terms.publicKey.length === 32, space, 10);
  need(provider.stated.regions.includes(terms.region), space, 6);
  need(terms.validFromHeight >= 0n && terms.validToHeight >= terms.validFromHeight, space, 17);
  need(terms.validToHeight >= world.height, space, 17);
  need(own.filter(({ removed }) => removed === 0n).length < world.single('provider').maxNodes, space, 19);
  const certificate = NodeCertificate.encode({ provider: owner, nodeId, ...terms }).finish();
  const signed = nodeSignBytes(world.chainId, certificate);
  need(isSignedBy(provider.stated.nodeAuthorityKey, signed, signature), space, 18);
  const node = { provider: owner, nodeId, ...terms, signature, removedHeight: 0n, removalReason: 0 as const };
  world.add({ kind: 'node', node, removed: 0n, reason: 0 });
  return {};
}

/** Ed25519, by the platform. */
export function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const x = Buffer.from(publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, message, key, signature);
}

export function removeNode(world: World, { owner, nodeId, reason }: MsgRemoveNode): object {
  required(world, owner);
  const own = world.lists.node.find(({ node }) => node.provider === owner && node.nodeId === nodeId);
  const node = found(own, space, 16);
  need(node.removed === 0n, space, 20);
  need(reason === retired || reason === compromised, space, 21);
  world.change(node, { removed: world.height, reason });
  return {};
}

export function deregisterProvider(world: World, { owner }: { owner: string }): object {
  const provider = requiredActive(world, owner);
  const bids = world.lists.bid.some((bid) => bid.provider === owner && bid.state === 1);
  const leases = world.lists.lease.some((lease) => lease.provider === owner && lease.state <= 2);
  need(!bids && !leases, space, 23);
  const unbonding = world.height + world.single('provider').unbondingBlocks;
  world.change(provider, { state: providerStates.leaving, unbonding });
  return { unbondingHeight: unbonding };
}

export function attestProvider(world: World, { auditor, provider, attributes }: MsgAttestProvider): object {
  required(world, provider);
  needAttributes(attributes, world.single('provider').maxAttributes);
  const before = world.lists.attestation.find((one) => one.auditor === auditor && one.provider === provider);
  if (attributes.length === 0) {
    world.remove(found(before, space, 24));
    return {};
  }
  const statement = { attributes, height: world.height };
  if (before === undefined) world.add({ kind: 'attestation', auditor, provider, ...statement });
  else world.change(before, statement);
  return {};
}

/** Whether the provider meets the attributes, by its own word or by one of the auditors where any is named. */
export function satisfies(
  world: World,
  owner: string,
  wanted: readonly Attribute[],
  auditors: readonly string[],
): boolean {
  const includes = (stated: readonly Attribute[]): boolean =>
    wanted.every(({ key, value }) => stated.some((one) => one.key === key && one.value === value));
  if (auditors.length === 0) return includes(providerOf(world, owner)?.stated.attributes ?? []);
  return world.lists.attestation.some(
    (one) => one.provider === owner && auditors.includes(one.auditor) && includes(one.attributes),
  );
}

/** Deposits that return at the end of a block: at most 100, the oldest first. */
export function endUnbondings(world: World): void {
  const due = world.lists.provider
    .filter(({ state, unbonding }) => state === providerStates.leaving && unbonding <= world.height)
    .sort((a, b) => Number(a.unbonding - b.unbonding) || orderOfAddresses(a.owner, b.owner));
  for (const provider of due.slice(0, 100)) {
    if (!world.payFirst(accounts.provider, [provider.owner], provider.deposit)) throw new Refusal('model', 1);
    world.change(provider, { state: providerStates.gone, deposit: 0n });
  }
}
