/** Orders by a text key, for maps: the id's parts in their order. */
import type { OrderId } from '@mu/proto/market';

export function orderKey(id: OrderId): string {
  return `${id.owner}/${id.dseq}/${id.infrastructure}/${id.round}`;
}

/** The id that a key was made of: owners have no slash. */
export function orderIdOf(key: string): OrderId {
  const [owner = '', dseq = '0', infrastructure = '0', round = '0'] = key.split('/');
  return { owner, dseq: BigInt(dseq), infrastructure: Number(infrastructure), round: Number(round) };
}
