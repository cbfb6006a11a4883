/** An order as one word: OWNER/DSEQ/INFRASTRUCTURE/ROUND. */
import type { OrderId } from '@mu/proto/market';
import { usageError } from './errors.ts';

export function orderName(id: OrderId | undefined): string {
  return id === undefined ? '' : `${id.owner}/${id.dseq}/${id.infrastructure}/${id.round}`;
}

/** @throws CliError for another form */
export function parseOrder(text: string): OrderId {
  const match = /^([a-z0-9]+)\/(\d{1,19})\/(\d{1,9})\/(\d{1,9})$/i.exec(text);
  if (match === null)
    throw usageError(
      `--order: "${text}" is no order; write OWNER/DSEQ/INFRASTRUCTURE/ROUND, as \`mucli market\` shows it`,
    );
  const [, owner = '', dseq = '0', infrastructure, round] = match;
  return { owner, dseq: BigInt(dseq), infrastructure: Number(infrastructure), round: Number(round) };
}
