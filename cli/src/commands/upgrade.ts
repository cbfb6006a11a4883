/** mucli tx upgrade …: the authority of the chain plans an upgrade, or drops the plan. */
import { usageError } from '../errors.ts';
import type { Session } from '../session.ts';
import { reportTx } from './tx.ts';

export interface PlanFlags {
  readonly upgradeHeight?: string;
  readonly upgradeInfo?: string;
}

/** Go's zero time, as the SDK's own clients send where a plan has no time: 0001-01-01. */
const noTime = { seconds: -62_135_596_800n, nanos: 0 };

/** Plans the upgrade `name`. */
export async function planUpgrade(session: Session, name: string, flags: PlanFlags): Promise<void> {
  const height = readHeight(flags.upgradeHeight);
  const { MsgSoftwareUpgrade } = await import('cosmjs-types/cosmos/upgrade/v1beta1/tx');
  const sender = await session.sender();
  const plan = { name, height, info: flags.upgradeInfo ?? '', time: noTime };
  const value = MsgSoftwareUpgrade.fromPartial({ authority: sender.address, plan });
  const tx = await sender.sendAndWait([{ typeUrl: MsgSoftwareUpgrade.typeUrl, value }]);
  reportTx(session, tx, { plan: { name, height: height.toString(), info: plan.info } });
}

/** Drops the plan that stands. */
export async function cancelUpgrade(session: Session): Promise<void> {
  const { MsgCancelUpgrade } = await import('cosmjs-types/cosmos/upgrade/v1beta1/tx');
  const sender = await session.sender();
  const value = MsgCancelUpgrade.fromPartial({ authority: sender.address });
  reportTx(session, await sender.sendAndWait([{ typeUrl: MsgCancelUpgrade.typeUrl, value }]));
}

function readHeight(text: string | undefined): bigint {
  if (text === undefined) throw usageError('at which height? Say --upgrade-height HEIGHT');
  if (!/^[1-9]\d{0,17}$/.test(text)) throw usageError(`--upgrade-height ${text}: write the number of a block above 0`);
  return BigInt(text);
}
