/** Hundreds of orders in one block, and one provider: real `mud`, real `mu-provider`, the light client between them. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectSecp256k1Wallet } from '@cosmjs/proto-signing';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { allItems } from '@mu/client/chain/pages';
import { createRegistry, toEncodeObject } from '@mu/client/chain/registry';
import { Sender } from '@mu/client/chain/sender';
import { Dec } from '@mu/lib/dec';
import { type DeploymentInfrastructure, MsgSubmitDeployment } from '@mu/proto/deployment';
import { type Fulfillment, FulfillmentState, type Order, OrderState } from '@mu/proto/market';
import { type TestWallet, testWallets } from '../../scripts/lib/wallets.ts';
import { Network, type NetworkProvider } from '../src/network.ts';
import { eventually } from '../src/process.ts';

jest.setTimeout(120_000);

const deployments = 20;
/** infrastructures of each, an order for each */
const ordersEach = 15;
const orders = deployments * ordersEach;
const mib = 1_048_576n;

let network: Network;
let client: ChainClient;
let provider: NetworkProvider;
let user: Sender;

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-bidding-')),
    chainId: `mu-bidding-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 1_500,
  });
  const [wallet] = testWallets(`bidding ${network.options.chainId}`, 1) as [TestWallet];
  await network.initChain();
  provider = await network.initProvider({ name: 'large', price: { cpu: '0.05', memoryMib: '0.01' } });
  for (const address of [wallet.address, provider.owner, provider.operator]) await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  client = await network.client();
  user = await Sender.create({
    client,
    signer: await DirectSecp256k1Wallet.fromKey(wallet.key, 'mu'),
    registry: createRegistry(),
    gasPriceMicro: 2_500n,
    feeDenom: 'umu',
  });
  await network.registerProvider(provider);
  await network.startProvider(provider);
});

afterAll(async () => {
  client?.disconnect();
  await network?.stop();
});

function deployment(dseq: bigint): ReturnType<typeof toEncodeObject> {
  const infrastructure = Array.from({ length: ordersEach }, (_none, at) => ({
    name: `part-${at}`,
    region: 'local',
    services: ['mu-function'],
    resources: [
      {
        compute: { cpu: 1, memory: mib, disk: mib },
        price: Dec.fromString('5').atomicsString(),
        collateral: '100',
        count: 1,
      },
    ],
  })) as unknown as DeploymentInfrastructure[];
  return toEncodeObject(MsgSubmitDeployment, {
    owner: user.address,
    dseq,
    name: 'many',
    infrastructure,
    version: randomBytes(32),
    // Nothing is matched while the test looks.
    waitBlocks: 5_000n,
    deposit: { denom: 'umu', amount: '1000000' },
  });
}

const openOrders = (): Promise<Order[]> =>
  allItems(
    (pagination) => client.market.orders({ owner: user.address, state: OrderState.ORDER_STATE_OPEN, pagination }),
    (page) => page.orders,
  );
const bids = (): Promise<Fulfillment[]> =>
  allItems(
    (pagination) => client.market.fulfillments({ provider: provider.owner, pagination }),
    (page) => page.fulfillments,
  );

test('300 orders of one block are answered within the next two, one bid each, in a handful of transactions', async () => {
  const numbers = Array.from({ length: deployments }, (_none, at) => BigInt(at + 1));
  const { height } = await user.sendAndWait(numbers.map(deployment));
  expect(new Set((await openOrders()).map(({ createdHeight }) => createdHeight))).toEqual(new Set([BigInt(height)]));
  const made = await eventually('a bid for each order', async () => {
    const found = await bids();
    return found.length >= orders ? found : undefined;
  });
  expect(made).toHaveLength(orders);
  const latest = made.reduce((most, bid) => (bid.height > most ? bid.height : most), 0n);
  expect(latest - BigInt(height)).toBeLessThanOrEqual(2n);
  expect((await openOrders()).every(({ openBids }) => openBids === 1)).toBe(true);
  const heights = [...new Set(made.map((bid) => Number(bid.height)))];
  const blocks = await Promise.all(heights.map((at) => client.comet.block(at)));
  const transactions = blocks.flatMap(({ block }) => block.txs).length;
  expect(transactions).toBeLessThanOrEqual(Math.ceil(orders / 64) + 1);
});

test('killed and started again, it bids for none of them twice', async () => {
  await network.program(provider.name).kill();
  await network.startProvider(provider);
  await network.untilHeight((await client.height()) + 3);
  expect(await bids()).toHaveLength(orders);
});

test('drained, it takes all of them back, and bids again when the drain is over', async () => {
  const before = await client.balance(provider.owner, 'umu');
  const file = join(provider.home, 'data', 'drain');
  writeFileSync(file, '');
  await eventually('the end of all bids', async () =>
    (await bids()).every(({ state }) => state === FulfillmentState.FULFILLMENT_STATE_CANCELED) ? true : undefined,
  );
  expect((await openOrders()).every(({ openBids }) => openBids === 0)).toBe(true);
  // Collateral returns to the payout address, whoever locked it.
  expect((await client.balance(provider.owner, 'umu')) - before).toBe(BigInt(orders) * 100n);
  rmSync(file);
  await eventually('new bids', async () =>
    (await openOrders()).every(({ openBids }) => openBids === 1) ? true : undefined,
  );
  expect(await bids()).toHaveLength(2 * orders);
});
