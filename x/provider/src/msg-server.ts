/** Messages of the registry: each a ladder of guards, then the writes. The README's table is in the order of the guards. */
import type { Context } from '@mu/framework/context';
import { verifyEd25519, verifyGas } from '@mu/framework/ed25519';
import { errInvalidRequest, errUnauthorized } from '@mu/framework/errors';
import { type Handlers, sameAddress } from '@mu/framework/message-registry';
import { nodeSignBytes } from '@mu/lib/sign-bytes';
import {
  Attestation,
  type MetricPrice,
  type MsgAddNode,
  MsgAddNodeResponse,
  type MsgAttestProvider,
  MsgAttestProviderResponse,
  type MsgDefinition,
  MsgDeregisterProviderResponse,
  MsgPublishPriceListResponse,
  type MsgRegisterProvider,
  MsgRegisterProviderResponse,
  MsgRemoveNodeResponse,
  MsgUpdateParamsResponse,
  type MsgUpdateProvider,
  MsgUpdateProviderResponse,
  type Node,
  NodeCertificate,
  type Params,
  Provider,
  ProviderState,
  RemovalReason,
} from '@mu/proto/provider';
import {
  errBusy,
  errNoAttestation,
  errNodeExists,
  errNodeNotFound,
  errNodeRemoved,
  errNodeSignature,
  errNotActive,
  errReason,
  errRegistered,
  errTooManyLists,
  errTooManyNodes,
} from './errors.ts';
import { emitAttested, emitNode, emitParamsUpdated, emitProvider } from './events.ts';
import type { ProviderKeeper } from './keeper.ts';
import { moduleName } from './keys.ts';
import { requireDenom, validateParams } from './params.ts';
import {
  checkAttributes,
  checkAuthorityKey,
  checkEncryptionKeys,
  checkNode,
  checkOperators,
  checkPrices,
  checkRegions,
  checkRoots,
  checkRotation,
  checkServices,
  checkUri,
  gatewayForm,
  hostForm,
} from './rules.ts';
import {
  attestations,
  authorityItem,
  canonical,
  nodeCount,
  ownerKey,
  paramsItem,
  putAttestation,
  putNode,
  putProvider,
} from './state.ts';

type ProviderMsgs = Partial<Handlers<(typeof MsgDefinition)['methods']>>;

export function createMsgServer(keeper: ProviderKeeper): ProviderMsgs {
  return {
    registerProvider: (ctx, message) => register(ctx, keeper, message),
    updateProvider: (ctx, message) => update(ctx, keeper, message),
    publishPriceList(ctx, { owner, prices }) {
      const provider = active(keeper.requireProvider(ctx, owner));
      checkNewList(prices, provider, keeper.params(ctx));
      const { priceListVersion } = keeper.publish(ctx, provider, prices);
      return MsgPublishPriceListResponse.fromPartial({ version: priceListVersion });
    },
    deregisterProvider(ctx, { owner }) {
      const provider = active(keeper.requireProvider(ctx, owner));
      if (keeper.deps.market.hasOpenWork(ctx, provider.owner)) throw errBusy.wrap(provider.owner);
      const { unbondingHeight } = keeper.leave(ctx, provider);
      return MsgDeregisterProviderResponse.fromPartial({ unbondingHeight });
    },
    attestProvider: (ctx, message) => attest(ctx, keeper, message),
    addNode: (ctx, message) => addNode(ctx, keeper, message),
    removeNode(ctx, { owner, nodeId, reason }) {
      keeper.requireProvider(ctx, owner);
      const node = keeper.getNode(ctx, owner, nodeId);
      if (node === undefined) throw errNodeNotFound.wrap(nodeId.slice(0, 64));
      if (node.removedHeight !== 0n) throw errNodeRemoved.wrap(`at height ${node.removedHeight}`);
      if (reason !== RemovalReason.REMOVAL_REASON_RETIRED && reason !== RemovalReason.REMOVAL_REASON_COMPROMISED) {
        throw errReason.wrap(`reason ${reason}`);
      }
      const removed = { ...node, removedHeight: ctx.height, removalReason: reason };
      putNode(ctx, removed, node);
      emitNode(ctx, 'node_removed', removed);
      return MsgRemoveNodeResponse.fromPartial({});
    },
    updateParams(ctx, { authority, params }) {
      if (authority === '' || !sameAddress(authority, authorityItem.get(ctx)))
        throw errUnauthorized.wrap('only the authority of genesis changes parameters');
      if (params === undefined) throw errInvalidRequest.wrap('params is missing');
      validateParams(params);
      requireDenom(params, ctx.chain.denom);
      paramsItem.set(ctx, params);
      emitParamsUpdated(ctx);
      return MsgUpdateParamsResponse.fromPartial({});
    },
  };
}

function active(provider: Provider): Provider {
  if (provider.state !== ProviderState.PROVIDER_STATE_ACTIVE) throw errNotActive.wrap(provider.owner);
  return provider;
}

/** What a registration and an update state alike, checked. @param before as it stands @returns its addresses in their one text */
function checkStated(
  ctx: Context,
  keeper: ProviderKeeper,
  message: MsgRegisterProvider | MsgUpdateProvider,
  before: Provider | undefined,
): Pick<Provider, 'owner' | 'operators' | 'payoutAddress'> {
  const params = keeper.params(ctx);
  checkOperators(message.operators, params, ctx.chain.bech32Prefix);
  checkUri('host_uri', message.hostUri, hostForm);
  checkUri('gateway_uri', message.gatewayUri, gatewayForm);
  checkRegions(message.regions, params);
  checkServices(message.services, params);
  checkAttributes(message.attributes, params);
  checkRoots(message.roots, params, ctx.height);
  checkAuthorityKey(message.nodeAuthorityKey);
  checkEncryptionKeys(message.encryptionKeys, params);
  checkRotation(message.encryptionKeys, before?.encryptionKeys ?? []);
  const { owner, operators, payoutAddress } = message;
  return {
    owner: canonical(ctx, owner),
    operators: operators.map((operator) => canonical(ctx, operator)),
    payoutAddress: canonical(ctx, payoutAddress === '' ? owner : payoutAddress),
  };
}

function register(ctx: Context, keeper: ProviderKeeper, message: MsgRegisterProvider): MsgRegisterProviderResponse {
  const { prices } = message;
  // One that has left and has its deposit back may come again; its price lists go on, so that no version changes.
  const before = keeper.getProvider(ctx, message.owner);
  if (before !== undefined && before.state !== ProviderState.PROVIDER_STATE_GONE)
    throw errRegistered.wrap(before.owner);
  const addresses = checkStated(ctx, keeper, message, before);
  const params = keeper.params(ctx);
  if (prices.length > 0) checkNewList(prices, before, params);
  const { deposit } = params;
  if (deposit !== undefined && deposit.amount !== '0')
    keeper.deps.bank.sendFromAccountToModule(ctx, addresses.owner, moduleName, [deposit]);
  const provider = Provider.fromPartial({
    ...message,
    ...addresses,
    priceListVersion: before?.priceListVersion ?? 0n,
    ...(deposit === undefined ? {} : { deposit }),
    state: ProviderState.PROVIDER_STATE_ACTIVE,
    registeredHeight: ctx.height,
  });
  putProvider(ctx, provider, before);
  emitProvider(ctx, 'provider_registered', provider);
  const { priceListVersion } = prices.length > 0 ? keeper.publish(ctx, provider, prices) : provider;
  return MsgRegisterProviderResponse.fromPartial({ priceListVersion });
}

function update(ctx: Context, keeper: ProviderKeeper, message: MsgUpdateProvider): MsgUpdateProviderResponse {
  const provider = active(keeper.requireProvider(ctx, message.owner));
  const next = Provider.fromPartial({ ...provider, ...message, ...checkStated(ctx, keeper, message, provider) });
  putProvider(ctx, next, provider);
  emitProvider(ctx, 'provider_updated', next);
  return MsgUpdateProviderResponse.fromPartial({});
}

/** @param provider whose list it becomes; undefined for a new one */
function checkNewList(prices: readonly MetricPrice[], provider: Provider | undefined, params: Params): void {
  checkPrices(prices, params);
  if ((provider?.priceListVersion ?? 0n) >= params.maxPriceLists)
    throw errTooManyLists.wrap(`${params.maxPriceLists} are allowed`);
}

/** Anyone may state something of a provider: what it is worth, an order says by the auditors that it names. */
function attest(ctx: Context, keeper: ProviderKeeper, message: MsgAttestProvider): MsgAttestProviderResponse {
  const { attributes } = message;
  const { owner } = keeper.requireProvider(ctx, message.provider);
  checkAttributes(attributes, keeper.params(ctx));
  const auditor = canonical(ctx, message.auditor);
  const statement = Attestation.fromPartial({ auditor, provider: owner, attributes, height: ctx.height });
  if (attributes.length > 0) putAttestation(ctx, statement);
  else withdraw(ctx, statement);
  emitAttested(ctx, statement);
  return MsgAttestProviderResponse.fromPartial({});
}

function withdraw(ctx: Context, { auditor, provider }: Attestation): void {
  const key = [ownerKey(ctx, provider), ownerKey(ctx, auditor)] as const;
  if (!attestations.has(ctx, key)) throw errNoAttestation.wrap(auditor);
  attestations.delete(ctx, key);
}

function addNode(ctx: Context, keeper: ProviderKeeper, message: MsgAddNode): MsgAddNodeResponse {
  const { signature, ...terms } = message;
  const provider = active(keeper.requireProvider(ctx, message.owner));
  const { owner } = provider;
  if (keeper.getNode(ctx, owner, terms.nodeId) !== undefined) throw errNodeExists.wrap(terms.nodeId);
  checkNode(terms, provider.regions, ctx.height);
  const { maxNodes } = keeper.params(ctx);
  if ((nodeCount.get(ctx, ownerKey(ctx, owner)) ?? 0n) >= BigInt(maxNodes))
    throw errTooManyNodes.wrap(`${maxNodes} are allowed`);
  const certificate = NodeCertificate.encode({ provider: owner, ...terms }).finish();
  ctx.gas.consume(verifyGas, 'node signature');
  if (!verifyEd25519(provider.nodeAuthorityKey, nodeSignBytes(ctx.chain.chainId, certificate), signature)) {
    throw errNodeSignature.wrap(terms.nodeId);
  }
  const node: Node = {
    provider: owner,
    ...terms,
    signature,
    removedHeight: 0n,
    removalReason: RemovalReason.REMOVAL_REASON_UNSPECIFIED,
  };
  putNode(ctx, node, undefined);
  emitNode(ctx, 'node_added', node);
  return MsgAddNodeResponse.fromPartial({});
}
