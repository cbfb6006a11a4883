/** What the story asks of the chain, and waits for. */
import { randomBytes } from 'node:crypto';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { toEncodeObject } from '@mu/client/chain/registry';
import { eventually } from '@mu/e2e/process';
import { Dec } from '@mu/lib/dec';
import { DeploymentInfrastructure, MsgCancelDeployment, MsgSubmitDeployment } from '@mu/proto/deployment';
import { type Fulfillment, FulfillmentState, type Lease, type Order, OrderState } from '@mu/proto/market';
import { type Actor, denom, metric, type Provider, region } from './actors.ts';
import { blocks } from './world.ts';

/** What a user asks for. Prices in umu. */
export interface Wish {
  readonly name: string;
  readonly highest: string;
  readonly collateral: string;
  readonly deposit: string;
}

/** Opens a deployment of one infrastructure; its manifest is a random hash, since nothing runs here. */
export async function order(user: Actor, wish: Wish): Promise<Order> {
  const infrastructure = DeploymentInfrastructure.fromPartial({
    name: wish.name,
    region,
    persist: true,
    services: ['mu-function'],
    resources: [
      {
        compute: { cpu: 500, memory: 536_870_912n, disk: 0n },
        price: Dec.fromString(wish.highest).atomicsString(),
        collateral: wish.collateral,
        count: 1,
      },
    ],
    usageLimits: [
      { metric, maxPrice: Dec.fromString('1').atomicsString(), maxPricePer: 1n, maxQuantityPerBlock: 100n },
    ],
    expectedUsage: [{ metric, quantityPerBlock: 4n }],
  });
  await user.act(
    toEncodeObject(MsgSubmitDeployment, {
      owner: user.address,
      dseq: 1n,
      name: wish.name,
      infrastructure: [infrastructure],
      version: randomBytes(32),
      waitBlocks: blocks.wait,
      deposit: { denom, amount: wish.deposit },
    }),
  );
  return openOrder(user);
}

/** The order of a user that takes bids now. */
export function openOrder(user: Actor): Promise<Order> {
  return eventually(`an open order of ${user.name}`, async () => {
    const { orders } = await user.client.market.orders({ owner: user.address, state: OrderState.ORDER_STATE_OPEN });
    return orders[0];
  });
}

/** Everybody bids, one after the other; who is refused says why. @returns refusals in words */
export async function bids(of: Order, offers: readonly (readonly [Provider, string])[]): Promise<Map<string, string>> {
  const refused = new Map<string, string>();
  const sent = [];
  for (const [provider, price] of offers) {
    try {
      sent.push(await provider.bid(of, price));
    } catch (error) {
      if (!(error instanceof ChainError)) throw error;
      refused.set(provider.name, error.message);
    }
  }
  await Promise.all(sent.map((one) => one.committed()));
  return refused;
}

/** Bids of an order by what became of them, the earliest first. */
export async function bidsOf(client: ChainClient, { id }: Order): Promise<readonly Fulfillment[]> {
  const { fulfillments } = await client.market.fulfillments({
    order: id,
    state: FulfillmentState.FULFILLMENT_STATE_UNSPECIFIED,
  });
  return [...fulfillments].sort((a, b) => (a.number < b.number ? -1 : 1));
}

/** The lease that an order was matched to, in the block that was due. */
export function leaseOf(client: ChainClient, { id }: Order): Promise<Lease> {
  return eventually('the match', async () => {
    const { order: now } = await client.market.order(id ?? {});
    if (now === undefined || now.lease === 0n) return undefined;
    return (await client.market.lease({ number: now.lease })).lease;
  });
}

/** @throws Error where the chain has lost it */
export async function lease(client: ChainClient, number: bigint): Promise<Lease> {
  const { lease: found } = await client.market.lease({ number });
  if (found === undefined) throw new Error(`lease ${number} is gone`);
  return found;
}

/** A lease once it is over. */
export function over(client: ChainClient, number: bigint): Promise<Lease> {
  return eventually(`the end of lease ${number}`, async () => {
    const now = await lease(client, number);
    return now.closedHeight === 0n ? undefined : now;
  });
}

export async function cancel(user: Actor): Promise<void> {
  await user.act(toEncodeObject(MsgCancelDeployment, { owner: user.address, dseq: 1n }));
}

/** Waits until a height. */
export function until(client: ChainClient, height: bigint): Promise<true> {
  return eventually(`block ${height}`, async () => (BigInt(await client.height()) >= height ? true : undefined));
}
