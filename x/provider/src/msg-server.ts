/** Messages of the registry: each a ladder of guards, then the writes. The README's table is in the order of the guards. */
import type { Context } from '@mu/framework/context';
import { verifyEd25519, verifyGas } from '@mu/framework/ed25519';
import { errInvalidRequest, errUnauthorized } from '@mu/framework/errors';
import { addressBytes, type Handlers } from '@mu/framework/message-registry';
import { nodeSignBytes } from '@mu/lib/sign-bytes';
import {
  type MsgAddNode,
  MsgAddNodeResponse,
  type MsgDefinition,
  MsgPublishPriceListResponse,
  type MsgRegisterProvider,
  MsgRegisterProviderResponse,
  MsgRemoveNodeResponse,
  MsgUpdateParamsResponse,
  type MsgUpdateProvider,
  MsgUpdateProviderResponse,
  type Node,
  NodeCertificate,
  Provider,
  ProviderState,
  RemovalReason,
} from '@mu/proto/provider';
import {
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
import { emitNode, emitParamsUpdated, emitProvider } from './events.ts';
import type { ProviderKeeper } from './keeper.ts';
import { moduleName } from './keys.ts';
import { validateParams } from './params.ts';
import {
  checkAttributes,
  checkAuthorityKey,
  checkEncryptionKeys,
  checkNode,
  checkOperators,
  checkPrices,
  checkRegions,
  checkRoots,
  checkServices,
  checkUri,
} from './rules.ts';
import { authorityItem, nodeCount, ownerKey, paramsItem, putNode, putProvider } from './state.ts';

type ProviderMsgs = Partial<Handlers<(typeof MsgDefinition)['methods']>>;

export function createMsgServer(keeper: ProviderKeeper): ProviderMsgs {
  return {
    registerProvider: (ctx, message) => register(ctx, keeper, message),
    updateProvider: (ctx, message) => update(ctx, keeper, message),
    publishPriceList(ctx, { owner, prices }) {
      const params = keeper.params(ctx);
      const provider = active(keeper.requireProvider(ctx, owner));
      checkPrices(prices, params);
      if (provider.priceListVersion >= params.maxPriceLists)
        throw errTooManyLists.wrap(`${params.maxPriceLists} are allowed`);
      const { priceListVersion } = keeper.publish(ctx, provider, prices);
      return MsgPublishPriceListResponse.fromPartial({ version: priceListVersion });
    },
    addNode: (ctx, message) => addNode(ctx, keeper, message),
    removeNode(ctx, { owner, nodeId, reason }) {
      keeper.requireProvider(ctx, owner);
      const node = keeper.getNode(ctx, owner, nodeId);
      if (node === undefined) throw errNodeNotFound.wrap(nodeId);
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
      if (authority === '' || authority !== authorityItem.get(ctx))
        throw errUnauthorized.wrap('only the authority of genesis changes parameters');
      if (params === undefined) throw errInvalidRequest.wrap('params is missing');
      validateParams(params);
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

/** What a registration and an update state alike. */
function checkStated(ctx: Context, keeper: ProviderKeeper, message: MsgRegisterProvider | MsgUpdateProvider): void {
  const params = keeper.params(ctx);
  const prefix = ctx.chain.bech32Prefix;
  checkOperators(message.operators, params, prefix);
  if (message.payoutAddress !== '') addressBytes(message.payoutAddress, prefix);
  checkUri('host_uri', message.hostUri, ['https']);
  checkUri('gateway_uri', message.gatewayUri, ['https', 'http']);
  checkRegions(message.regions, params);
  checkServices(message.services, params);
  checkAttributes(message.attributes, params);
  checkRoots(message.roots, params);
  checkAuthorityKey(message.nodeAuthorityKey);
  checkEncryptionKeys(message.encryptionKeys, params);
}

function register(ctx: Context, keeper: ProviderKeeper, message: MsgRegisterProvider): MsgRegisterProviderResponse {
  const { owner, prices } = message;
  if (keeper.getProvider(ctx, owner) !== undefined) throw errRegistered.wrap(owner);
  checkStated(ctx, keeper, message);
  const params = keeper.params(ctx);
  if (prices.length > 0) checkPrices(prices, params);
  const { deposit } = params;
  if (deposit !== undefined && deposit.amount !== '0')
    keeper.deps.bank.sendFromAccountToModule(ctx, owner, moduleName, [deposit]);
  const provider = Provider.fromPartial({
    ...message,
    payoutAddress: message.payoutAddress === '' ? owner : message.payoutAddress,
    priceListVersion: 0n,
    ...(deposit === undefined ? {} : { deposit }),
    state: ProviderState.PROVIDER_STATE_ACTIVE,
    registeredHeight: ctx.height,
  });
  putProvider(ctx, provider, undefined);
  emitProvider(ctx, 'provider_registered', provider);
  const { priceListVersion } = prices.length > 0 ? keeper.publish(ctx, provider, prices) : provider;
  return MsgRegisterProviderResponse.fromPartial({ priceListVersion });
}

function update(ctx: Context, keeper: ProviderKeeper, message: MsgUpdateProvider): MsgUpdateProviderResponse {
  const provider = active(keeper.requireProvider(ctx, message.owner));
  checkStated(ctx, keeper, message);
  const payoutAddress = message.payoutAddress === '' ? message.owner : message.payoutAddress;
  const next = Provider.fromPartial({ ...provider, ...message, payoutAddress });
  putProvider(ctx, next, provider);
  emitProvider(ctx, 'provider_updated', next);
  return MsgUpdateProviderResponse.fromPartial({});
}

function addNode(ctx: Context, keeper: ProviderKeeper, message: MsgAddNode): MsgAddNodeResponse {
  const { owner, signature, ...terms } = message;
  const provider = active(keeper.requireProvider(ctx, owner));
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
