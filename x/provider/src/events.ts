/** Events of the registry. Each carries what an indexer needs, so that it asks nothing back. */
import type { Context } from '@mu/framework/context';
import type { Attestation, Node, PriceList, Provider } from '@mu/proto/provider';

export function emitProvider(
  ctx: Context,
  type: 'provider_registered' | 'provider_updated' | 'provider_leaving' | 'provider_gone',
  provider: Provider,
): void {
  ctx.events.emit(type, [
    ['provider', provider.owner],
    ['host_uri', provider.hostUri],
    ['gateway_uri', provider.gatewayUri],
    ['regions', provider.regions.join(',')],
    ['services', provider.services.join(',')],
    ['unbonding_height', provider.unbondingHeight.toString()],
    ['deposit', `${provider.deposit?.amount ?? '0'}${provider.deposit?.denom ?? ''}`],
  ]);
}

export function emitPriceList(ctx: Context, list: PriceList): void {
  ctx.events.emit('price_list_published', [
    ['provider', list.provider],
    ['version', list.version.toString()],
  ]);
}

export function emitNode(ctx: Context, type: 'node_added' | 'node_removed', node: Node): void {
  ctx.events.emit(type, [
    ['provider', node.provider],
    ['node_id', node.nodeId],
    ['region', node.region],
    ['valid_to_height', node.validToHeight.toString()],
    ['reason', node.removalReason.toString()],
  ]);
}

/** An empty list of attributes withdraws what the auditor stated. */
export function emitAttested(ctx: Context, { auditor, provider, attributes }: Attestation): void {
  ctx.events.emit('provider_attested', [
    ['provider', provider],
    ['auditor', auditor],
    ['attributes', attributes.map(({ key }) => key).join(',')],
  ]);
}

export function emitParamsUpdated(ctx: Context): void {
  ctx.events.emit('params_updated', [['module', 'provider']]);
}
