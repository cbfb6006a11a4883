/** Orders by a text key, for maps: the id's parts in their order. */
import type { OrderId } from '@mu/proto/market';

export function orderKey(id: OrderId): string {
  return `${id.owner}/${id.dseq}/${id.infrastructure}/${id.round}`;
}
