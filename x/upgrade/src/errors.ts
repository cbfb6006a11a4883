/** Errors of codespace `upgrade`, with the SDK's codes and texts, and what stops a node. */
import { registerError } from '@mu/framework/errors';
import type { Plan } from './plan.ts';

export const errNoModuleVersion = registerError('upgrade', 2, 'module version not found');
export const errInvalidSigner = registerError(
  'upgrade',
  6,
  'expected authority account as only signer for proposal message',
);

/** This program does not know an upgrade that is due: the node stops before the block, for another program to go on. */
export class UpgradeNeeded extends Error {
  readonly plan: Plan;

  /** @param plan with the height at which it is due */
  constructor(plan: Plan) {
    super(`UPGRADE "${plan.name}" NEEDED at height: ${plan.height}: ${plan.info}`);
    this.name = 'UpgradeNeeded';
    this.plan = plan;
  }
}

/** This program is not the one that the state calls for: it is too new, or too old. */
export class WrongProgram extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WrongProgram';
  }
}
