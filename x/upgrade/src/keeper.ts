/** Plans of upgrades, and what happens when one is due. */
import type { Context } from '@mu/framework/context';
import { errInvalidRequest } from '@mu/framework/errors';
import { UpgradeNeeded, WrongProgram } from './errors.ts';
import type { UpgradeWiring } from './expected-keepers.ts';
import { isDue, type Plan } from './plan.ts';
import {
  clearIbcState,
  deletePlan,
  getDoneHeight,
  getLastDone,
  getPlan,
  getProtocolVersion,
  getVersions,
  putDone,
  putPlan,
  putProtocolVersion,
  putVersions,
} from './state.ts';

export class UpgradeKeeper {
  readonly #wiring: UpgradeWiring;

  constructor(wiring: UpgradeWiring) {
    this.#wiring = wiring;
  }

  /** Writes down which versions the modules of a new chain have. */
  init(ctx: Context): void {
    putVersions(ctx, this.#wiring.versions());
  }

  /** Whether a block of this height must carry out a plan, by the state committed before it. */
  isUpgradeHeight(ctx: Context, height: bigint): boolean {
    return isDue(getPlan(ctx), height);
  }

  /**
   * Sets the plan; one that stood is replaced. A plan for the block at hand is carried out in the next one.
   * @throws AbciError invalid request (18) for a height of the past or an upgrade that was applied already
   */
  schedule(ctx: Context, plan: Plan): void {
    if (plan.height < ctx.height) throw errInvalidRequest.wrap('upgrade cannot be scheduled in the past');
    if (getDoneHeight(ctx, plan.name) !== 0n) {
      throw errInvalidRequest.wrap(`upgrade with name ${plan.name} has already been completed`);
    }
    putPlan(ctx, plan);
  }

  /** Drops the plan; nothing happens where there is none. */
  cancel(ctx: Context): void {
    deletePlan(ctx);
  }

  /**
   * Before everything else of a block (x/upgrade/abci.go PreBlocker).
   * @throws UpgradeNeeded at a plan's height that this program does not know
   * @throws WrongProgram when the state calls for an older or a newer program
   */
  preBlock(ctx: Context): void {
    const plan = getPlan(ctx);
    const skips = this.#wiring.skipHeights.has(ctx.height);
    if (plan === undefined || !isDue(plan, ctx.height) || skips) this.#requireLastHandler(ctx);
    if (plan === undefined) return;
    const handled = this.#wiring.handlers.has(plan.name);
    if (!isDue(plan, ctx.height)) {
      if (!handled) return;
      throw new WrongProgram(
        `BINARY UPDATED BEFORE TRIGGER! UPGRADE "${plan.name}" - in binary but not executed on chain. Downgrade your binary`,
      );
    }
    if (skips) {
      deletePlan(ctx);
      return;
    }
    if (!handled) this.#stop({ ...plan, height: ctx.height }, plan);
    this.#apply(ctx, plan);
  }

  /** A program without the handler of the last upgrade is one of before it: it would go on with other rules. */
  #requireLastHandler(ctx: Context): void {
    const last = getLastDone(ctx);
    if (last === undefined || this.#wiring.handlers.has(last)) return;
    throw new WrongProgram(
      `wrong app version ${getProtocolVersion(ctx)}, upgrade handler is missing for ${last} upgrade plan`,
    );
  }

  /** What is told names the height at hand; the message names the plan's, as the SDK's do. */
  #stop(now: Plan, plan: Plan): never {
    this.#wiring.onNeeded(now);
    throw new UpgradeNeeded(plan);
  }

  #apply(ctx: Context, plan: Plan): void {
    const handler = this.#wiring.handlers.get(plan.name);
    if (handler === undefined) throw new UpgradeNeeded(plan);
    putVersions(ctx, handler(ctx, plan, getVersions(ctx)));
    const version = getProtocolVersion(ctx) + 1n;
    putProtocolVersion(ctx, version);
    this.#wiring.protocol.setProtocolVersion(ctx, version);
    clearIbcState(ctx, plan.height);
    deletePlan(ctx);
    putDone(ctx, plan.name);
  }
}
