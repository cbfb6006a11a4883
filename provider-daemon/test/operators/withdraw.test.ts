import type { EncodeObject } from '@cosmjs/proto-signing';
import { beforeEach, expect, test } from '@jest/globals';
import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { Fulfillment, type Lease, LeaseState } from '@mu/proto/market';
import { Provider, ProviderState } from '@mu/proto/provider';
import { withdraw, wordsOf } from '../../src/operators/commands/withdraw.ts';
import { maxMessages, nextStep, type Standing } from '../../src/operators/commands/withdraw-plan.ts';
import { lease, owner } from './fixture.ts';

const active = Provider.fromPartial({ owner, state: ProviderState.PROVIDER_STATE_ACTIVE });
const bid = (number: bigint): Fulfillment => Fulfillment.fromPartial({ number, provider: owner });
const standing = (change: Partial<Standing> = {}): Standing => ({
  height: 100n,
  provider: active,
  openBids: [],
  leases: [],
  ...change,
});

test('the steps come in their order: bids, notice, waiting, end, registry', () => {
  const given = lease(2n, { leaveHeight: 120n });
  const over = lease(3n, { leaveHeight: 100n });
  expect(nextStep(standing({ openBids: [bid(4n)], leases: [lease(1n)] }))).toEqual({ step: 'cancel-bids', bids: [4n] });
  expect(nextStep(standing({ leases: [lease(1n), given, over] }))).toEqual({ step: 'announce-leave', leases: [1n] });
  expect(nextStep(standing({ leases: [given, over] }))).toEqual({ step: 'close-leases', leases: [3n] });
  expect(nextStep(standing({ leases: [given, lease(5n, { leaveHeight: 110n })] }))).toMatchObject({
    step: 'wait',
    height: 110n,
  });
  expect(nextStep(standing())).toEqual({ step: 'deregister' });
});

test('who has left, or never was there, has nothing to do', () => {
  expect(nextStep(standing({ provider: undefined }))).toEqual({ step: 'done', depositHeight: 0n });
  const leaving = Provider.fromPartial({ state: ProviderState.PROVIDER_STATE_LEAVING, unbondingHeight: 900n });
  expect(nextStep(standing({ provider: leaving }))).toEqual({ step: 'done', depositHeight: 900n });
});

test('a lease that is about to be broken is waited for, one out of funds is left with notice', () => {
  expect(nextStep(standing({ leases: [lease(1n, { confirmBy: 100n })] }))).toMatchObject({ step: 'wait', height: 0n });
  const out = lease(1n, { confirmBy: 90n, state: LeaseState.LEASE_STATE_OUT_OF_FUNDS });
  expect(nextStep(standing({ leases: [out] }))).toEqual({ step: 'announce-leave', leases: [1n] });
});

test('a transaction has a bound of messages; each step can be said', () => {
  const leases = Array.from({ length: maxMessages + 20 }, (_none, at) => lease(BigInt(at + 1)));
  const next = nextStep(standing({ leases }));
  expect(next.step === 'announce-leave' && next.leases.length).toBe(maxMessages);
  expect(wordsOf(nextStep(standing({ leases: leases.slice(0, 2) })))).toBe('give notice of leases 1, 2');
});

/** A market with its rules of leaving: a block passes with each look. */
class Market {
  height = 100;
  provider = active;
  bids = [bid(7n)];
  leases: Lease[] = [lease(1n), lease(2n)];
  /** a daemon takes back bids too: the first one to try is refused */
  daemonCancels = false;

  client(): ChainClient {
    const page = { nextKey: new Uint8Array() };
    const ofState = (state: LeaseState): Lease[] => this.leases.filter((one) => one.state === state);
    return {
      height: async () => (this.height += 1),
      provider: { provider: async () => ({ provider: this.provider }) },
      market: {
        fulfillments: async () => ({ fulfillments: this.bids, pagination: page }),
        leases: async ({ state }: { state: LeaseState }) => ({ leases: ofState(state), pagination: page }),
      },
    } as unknown as ChainClient;
  }

  send(messages: readonly EncodeObject[]): void {
    for (const { typeUrl, value } of messages) {
      const number = (value as { lease?: bigint }).lease ?? 0n;
      if (typeUrl.endsWith('CancelFulfillment')) this.#cancel();
      else if (typeUrl.endsWith('AnnounceLeave')) this.#change(number, { leaveHeight: BigInt(this.height) + 30n });
      else if (typeUrl.endsWith('CloseLease')) this.#close(number);
      else {
        if (this.bids.length + this.leases.length > 0)
          throw new ChainError('open work', { codespace: 'provider', code: 23 });
        this.provider = Provider.fromPartial({ state: ProviderState.PROVIDER_STATE_LEAVING, unbondingHeight: 500n });
      }
    }
  }

  #cancel(): void {
    this.bids = [];
    if (this.daemonCancels) throw new ChainError('not open', { codespace: 'market', code: 21 });
  }

  #close(number: bigint): void {
    const found = this.leases.find((one) => one.number === number);
    if (found === undefined || found.leaveHeight === 0n || found.leaveHeight > BigInt(this.height)) {
      throw new ChainError('notice is not over', { codespace: 'market', code: 31 });
    }
    this.leases = this.leases.filter((one) => one !== found);
  }

  #change(number: bigint, change: Partial<Lease>): void {
    this.leases = this.leases.map((one) => (one.number === number ? { ...one, ...change, confirmBy: 10_000n } : one));
  }
}

let market: Market;
let steps: string[];
beforeEach(() => {
  market = new Market();
  steps = [];
});

const leave = (wait: boolean, send = (messages: readonly EncodeObject[]) => market.send(messages)) =>
  withdraw({
    client: market.client(),
    sender: {
      address: owner,
      async sendAndWait(messages) {
        send(messages);
        return { hash: `tx${steps.length}` } as CommittedTx;
      },
    },
    provider: owner,
    wait,
    pause: async () => {},
    onStep: (text) => steps.push(text),
  });

test('without waiting it does what can be done now, and says until when; called again it goes on', async () => {
  const first = await leave(false);
  expect(first).toMatchObject({
    left: false,
    did: ['cancel-bids', 'announce-leave'],
    waiting: { why: expect.stringContaining('2 leases') },
  });
  expect((await leave(false)).did).toEqual([]);
  market.height = 200;
  expect(await leave(false)).toMatchObject({
    left: true,
    did: ['close-leases', 'deregister'],
    deposit_returns_at: 500n,
  });
  expect(await leave(false)).toMatchObject({ left: true, did: [] });
});

test('with waiting it goes all the way, and shows each step once', async () => {
  expect(await leave(true)).toMatchObject({
    left: true,
    did: ['cancel-bids', 'announce-leave', 'close-leases', 'deregister'],
  });
  expect(steps.map((text) => text.split(' ')[0])).toEqual(['take', 'give', 'wait', 'end', 'leave']);
});

test('what the daemon did first is no error', async () => {
  market.daemonCancels = true;
  expect((await leave(true)).left).toBe(true);
  expect(steps[1]).toContain('refused');
});

test('a chain that refuses again and again ends it', async () => {
  const refuse = (): void => {
    throw new ChainError('no funds', { code: 5 });
  };
  await expect(leave(true, refuse)).rejects.toThrow('no funds');
});
