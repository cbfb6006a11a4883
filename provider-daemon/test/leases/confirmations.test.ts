import { beforeEach, expect, test } from '@jest/globals';
import type { CommittedTx } from '@mu/client/chain/chain-client';
import { type MsgSubmitLeaseConfirmations, MsgSubmitLeaseConfirmationsResponse } from '@mu/proto/market';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import { pino } from 'pino';
import { type Confirmable, Confirmations, maxConfirmations } from '../../src/leases/confirmations.ts';
import { step } from '../../src/leases/lease-machine.ts';
import { KeeperWorld, lease } from './keeper-world.ts';

/** Chain that refuses the leases of these numbers, or answers nobody. */
let refuses: bigint[];
let isAway: boolean;
/** leases by message */
let sent: bigint[][];
let heard: string[];

beforeEach(() => {
  refuses = [];
  isAway = false;
  sent = [];
  heard = [];
});

const answer = (numbers: readonly bigint[]): CommittedTx => {
  const results = numbers.map((number) => ({ lease: number, code: refuses.includes(number) ? 5 : 0 }));
  const value = MsgSubmitLeaseConfirmationsResponse.encode(
    MsgSubmitLeaseConfirmationsResponse.fromPartial({ results }),
  ).finish();
  const typeUrl = `/${MsgSubmitLeaseConfirmationsResponse.$type}`;
  return {
    height: 9,
    data: TxMsgData.encode({ data: [], msgResponses: [{ typeUrl, value }] }).finish(),
  } as CommittedTx;
};

const confirmations = (): Confirmations =>
  new Confirmations({
    sender: {
      address: 'mu1operator',
      sendAndWait(messages) {
        if (isAway) return Promise.reject(new Error('away'));
        const numbers = messages.flatMap(({ value }) =>
          (value as MsgSubmitLeaseConfirmations).confirmations.map((one) => one.lease),
        );
        sent.push(numbers);
        return Promise.resolve(answer(numbers));
      },
    },
    log: pino({ level: 'silent' }),
  });

const due = (number: bigint): Confirmable => {
  const [life] = step(undefined, { type: 'lease', lease: lease(number) }, { confirmEveryBlocks: 10n });
  if (life === undefined) throw new Error('an active lease has a life');
  return { life, play: (event) => heard.push(`${number} ${event.type}`) };
};

const answered = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('each lease hears what became of its own confirmation', async () => {
  refuses = [2n];
  confirmations().send([1n, 2n, 3n].map(due));
  await answered();
  expect(heard).toEqual(['1 confirmed', '2 confirm-failed', '3 confirmed']);
});

test('a message holds no more than the chain takes; the others go with a further one', async () => {
  const numbers = Array.from({ length: maxConfirmations + 2 }, (_, at) => BigInt(at + 1));
  confirmations().send(numbers.map(due));
  await answered();
  expect(sent.map(({ length }) => length)).toEqual([maxConfirmations, 2]);
  expect(sent.flat()).toEqual(numbers);
});

test('where nobody answers all are told', async () => {
  isAway = true;
  confirmations().send([1n, 2n].map(due));
  await answered();
  expect(heard).toEqual(['1 confirm-failed', '2 confirm-failed']);
});

test('a confirmation that did not get through is sent again with the next block', async () => {
  const world = new KeeperWorld();
  await world.keeper.lease(lease(1n));
  world.fails = true;
  await world.keeper.height(6n);
  await world.settle();
  world.fails = false;
  await world.keeper.height(7n);
  await world.settle();
  expect(world.sent).toHaveLength(1);
});
