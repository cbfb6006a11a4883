/** Tells the steps of a deployment as they happen. */

import {
  type DeploymentStep,
  type DeploymentView,
  isLive,
  stepsBetween,
  viewDeployment,
} from '@mu/client/deployment/follow';
import { messageOf } from '@mu/lib/error-message';
import { CloseReason, LeaseState, OrderState } from '@mu/proto/market';
import { CliError } from './errors.ts';
import type { Session } from './session.ts';
import { wordOf } from './words.ts';

const pollMs = 200;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pollMs));

export class DeploymentFollower {
  readonly #session: Session;
  readonly #of: { readonly owner: string; readonly dseq: bigint };
  #last: DeploymentView | undefined;

  /** @param known what was told already; everything is told where absent */
  constructor(session: Session, of: { readonly owner: string; readonly dseq: bigint }, known?: DeploymentView) {
    this.#session = session;
    this.#of = of;
    this.#last = known;
  }

  /**
   * Follows until `reached` says so.
   * @returns the view then; undefined when no lease was made within the time
   * @throws CliError when all orders and leases are over: nothing will come any more
   */
  async until(
    reached: (view: DeploymentView) => Promise<boolean>,
    limit: { readonly timeoutBlocks: bigint; readonly since: bigint },
  ): Promise<DeploymentView | undefined> {
    for (;;) {
      const view = await this.#look();
      if (await reached(view)) return view;
      if (view.leases.length === 0 && view.height - limit.since >= limit.timeoutBlocks) return undefined;
      if (view.orders.length > 0 && isOver(view))
        throw new CliError('the deployment is over: its leases have ended and no order is open; see above why');
      await pause();
    }
  }

  /** Follows until the process ends, and goes on while a node does not answer. */
  async forever(each: (view: DeploymentView) => Promise<unknown>): Promise<never> {
    for (;;) {
      try {
        await each(await this.#look());
      } catch (error) {
        this.#session.output.step(`not now: ${messageOf(error)}`);
      }
      await pause();
    }
  }

  async #look(): Promise<DeploymentView> {
    const client = await this.#session.client();
    const view = await viewDeployment(client, this.#of.owner, this.#of.dseq);
    for (const step of stepsBetween(this.#last, view))
      this.#session.output.step(`block ${view.height}: ${inWords(step)}`);
    this.#last = view;
    return view;
  }
}

function isOver(view: DeploymentView): boolean {
  return !view.leases.some(isLive) && !view.orders.some(({ state }) => state === OrderState.ORDER_STATE_OPEN);
}

function inWords(step: DeploymentStep): string {
  switch (step.type) {
    case 'order':
      return `order ${step.order.id?.infrastructure}/${step.order.id?.round} is open in ${step.order.spec?.region}`;
    case 'bid':
      return `${step.bid.provider} bids ${step.total.toPlain()} umu per block`;
    case 'lease':
      return `lease ${step.lease.number} goes to ${step.lease.provider}`;
    case 'confirmed':
      return `lease ${step.lease.number} is confirmed by its provider`;
    case 'answers':
      return `lease ${step.lease.number} answers at ${step.lease.endpoints.join(', ')}`;
    case 'ended':
      return `lease ${step.lease.number} is ${wordOf(LeaseState, step.lease.state)} (${wordOf(CloseReason, step.lease.closeReason)})`;
  }
}
