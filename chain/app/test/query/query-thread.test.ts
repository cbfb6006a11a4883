import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { utf8 } from '@mu/lib/bytes';
import { QueryBalanceRequest, QueryBalanceResponse } from 'cosmjs-types/cosmos/bank/v1beta1/query';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { RequestQuery } from 'cosmjs-types/tendermint/abci/types';
import { muStoreNames } from '../../src/mu-app.ts';
import { QueryThread } from '../../src/query/query-thread.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { type Account, accountOf, any, denom, funds, genesisFor, MuChain } from '../app/mu-chain.ts';

let folder: string;
let store: LmdbCommitStore;
let chain: MuChain;
let thread: QueryThread;
let alice: Account;
let bob: Account;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-query-'));
  store = new LmdbCommitStore(folder, muStoreNames);
  [alice, bob] = [await accountOf('alice'), await accountOf('bob')];
  chain = MuChain.begin(genesisFor([alice, bob]), store);
  thread = new QueryThread({ home: { root: folder, state: folder }, cacheBytes: 1_048_576 });
});

afterEach(async () => {
  await thread.close();
  await store.close();
  rmSync(folder, { recursive: true });
});

const send = (amount: number) => ({
  from: alice,
  messages: [
    any(
      { $type: 'cosmos.bank.v1beta1.MsgSend', encode: MsgSend.encode },
      MsgSend.fromPartial({
        fromAddress: alice.address,
        toAddress: bob.address,
        amount: [{ denom, amount: `${amount}` }],
      }),
    ),
  ],
});

const balance = async (address: string, height = 0n): Promise<{ amount: bigint; height: bigint }> => {
  const path = '/cosmos.bank.v1beta1.Query/Balance';
  const data = QueryBalanceRequest.encode({ address, denom }).finish();
  const response = await thread.ask(RequestQuery.fromPartial({ path, data, height }));
  expect(response.code).toBe(0);
  return {
    amount: BigInt(QueryBalanceResponse.decode(response.value).balance?.amount ?? '0'),
    height: response.height,
  };
};

test('answers are those of the application itself, at the latest and at older heights', async () => {
  for (const amount of [5, 7, 11]) await chain.block(send(amount));
  await store.settled();
  expect(await balance(bob.address)).toEqual({ amount: funds + 23n, height: 3n });
  expect(await balance(bob.address, 2n)).toEqual({ amount: funds + 12n, height: 2n });
  await chain.block(send(1));
  await store.settled();
  expect(await balance(bob.address)).toEqual({ amount: funds + 24n, height: 4n });
  const requests = ['/store/bank/key', '/store/none/key', '/nothing', '/app/version'].map((path) =>
    RequestQuery.fromPartial({ path, data: utf8('x'), prove: path.startsWith('/store') }),
  );
  for (const request of requests) expect(await thread.ask(request)).toEqual(chain.app.query(request));
});

test('a thread that cannot read the state says so each time, and one that is closed answers no more', async () => {
  const lost = new QueryThread({ home: { root: '/dev/null/none', state: '/dev/null/none' }, cacheBytes: 1_048_576 });
  for (let time = 0; time < 2; time += 1) {
    await expect(lost.ask(RequestQuery.fromPartial({ path: '/app/version' }))).rejects.toThrow();
    expect(lost.pending).toBe(0);
  }
  await thread.close();
  await expect(thread.ask(RequestQuery.fromPartial({ path: '/app/version' }))).rejects.toThrow('stopping');
}, 60_000);
