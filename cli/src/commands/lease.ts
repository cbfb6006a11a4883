/** mucli tx lease …: the end of a lease. */
import { CloseReason } from '@mu/proto/market';
import { wholeNumber } from '../arguments.ts';
import { usageError } from '../errors.ts';
import type { Session } from '../session.ts';
import { wordOf } from '../words.ts';
import { reportTx } from './tx.ts';

/** Reasons that a sender may give; the rest are the chain's own. */
const sayable = [
  CloseReason.CLOSE_REASON_BY_USER,
  CloseReason.CLOSE_REASON_NOT_SERVING,
  CloseReason.CLOSE_REASON_PROVIDER_NOTICE,
  CloseReason.CLOSE_REASON_PROVIDER_AT_ONCE,
  CloseReason.CLOSE_REASON_MANIFEST_MISSING,
  CloseReason.CLOSE_REASON_MANIFEST_INVALID,
  CloseReason.CLOSE_REASON_IMAGE_UNAVAILABLE,
  CloseReason.CLOSE_REASON_POLICY,
] as const;

const nameOf = (reason: CloseReason): string => wordOf(CloseReason, reason).replaceAll(' ', '-');

/** @throws CliError for another reason */
export function parseReason(text: string): CloseReason {
  const found = sayable.find((reason) => nameOf(reason) === text.replaceAll('_', '-'));
  if (found === undefined)
    throw usageError(`--reason: "${text}" is not allowed; write one of ${sayable.map(nameOf).join(', ')}`);
  return found;
}

export async function closeLease(session: Session, numberText: string, reasonText: string): Promise<void> {
  const lease = wholeNumber(numberText, 'NUMBER');
  const reason = parseReason(reasonText);
  const [{ MsgCloseLease }, { toEncodeObject }] = await Promise.all([
    import('@mu/proto/market'),
    import('@mu/client/chain/registry'),
  ]);
  const sender = await session.sender();
  const message = toEncodeObject(MsgCloseLease, { sender: sender.address, lease, reason });
  reportTx(session, await sender.sendAndWait([message]), { lease, reason: nameOf(reason) });
}

/** A provider's word that it leaves after the notice. */
export async function announceLeave(session: Session, numberText: string): Promise<void> {
  const lease = wholeNumber(numberText, 'NUMBER');
  const [{ MsgAnnounceLeave }, { toEncodeObject }] = await Promise.all([
    import('@mu/proto/market'),
    import('@mu/client/chain/registry'),
  ]);
  const sender = await session.sender();
  const message = toEncodeObject(MsgAnnounceLeave, { sender: sender.address, lease });
  reportTx(session, await sender.sendAndWait([message]), { lease });
}
