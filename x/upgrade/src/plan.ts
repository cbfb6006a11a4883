/** What an upgrade is called and when it is due. */
import { errInvalidRequest } from '@mu/framework/errors';
import { Plan as PlanMessage } from 'cosmjs-types/cosmos/upgrade/v1beta1/upgrade';

export interface Plan {
  readonly name: string;
  readonly height: bigint;
  readonly info: string;
}

/** Go's zero time, which the SDK writes where a plan has none: seconds of 0001-01-01. */
const noTime = { seconds: -62_135_596_800n, nanos: 0 };

/**
 * A plan as a message or the state has it. No time is Go's zero time, or 1970 as other clients write nothing.
 * @throws AbciError invalid request (18), in the SDK's order and words
 */
export function readPlan(plan: PlanMessage): Plan {
  const { seconds, nanos } = plan.time;
  if (nanos !== 0 || (seconds !== 0n && seconds !== noTime.seconds)) {
    throw errInvalidRequest.wrap('time-based upgrades have been deprecated in the SDK');
  }
  if (plan.upgradedClientState !== undefined) {
    throw errInvalidRequest.wrap('upgrade logic for IBC has been moved to the IBC module');
  }
  if (plan.name === '') throw errInvalidRequest.wrap('name cannot be empty');
  if (plan.height <= 0n) throw errInvalidRequest.wrap('height must be greater than 0');
  return { name: plan.name, height: plan.height, info: plan.info };
}

/** The message of a plan, as it is stored and answered. */
export function planMessage({ name, height, info }: Plan): PlanMessage {
  return PlanMessage.fromPartial({ name, height, info, time: noTime });
}

/** Whether a plan must be carried out at a height. */
export function isDue(plan: Plan | undefined, height: bigint): boolean {
  return plan !== undefined && plan.height <= height;
}
