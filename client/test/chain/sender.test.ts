import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { AuthInfo, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { ChainClient, CommittedTx } from '../../src/chain/chain-client.ts';
import { ChainError } from '../../src/chain/errors.ts';
import { createRegistry } from '../../src/chain/registry.ts';
import { Sender } from '../../src/chain/sender.ts';

const mnemonic = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about';

const feeOf = (raw: Uint8Array): string =>
  AuthInfo.decode(TxRaw.decode(raw).authInfoBytes)
    .fee?.amount.map(({ amount, denom }) => amount + denom)
    .join() ?? '';

/** A chain that accepts the next sequence only, and forgets nothing. */
class FakeChain {
  sequence = 5n;
  refuse: { codespace: string; code: number; log: string } | undefined;
  readonly accepted: { sequence: bigint; gas: bigint; fee: string }[] = [];
  asked = 0;
  simulated = '';
  result: Partial<CommittedTx> = { code: 0 };

  client(): ChainClient {
    const fake = {
      chainId: 'mu-1',
      account: () => {
        this.asked += 1;
        return Promise.resolve({ accountNumber: 3n, sequence: this.sequence });
      },
      simulate: (tx: Uint8Array) => {
        this.simulated = feeOf(tx);
        return Promise.resolve(100_000n);
      },
      comet: { broadcastTxSync: ({ tx }: { tx: Uint8Array }) => Promise.resolve(this.#take(tx)) },
      tx: (hash: Uint8Array) => Promise.resolve({ hash, height: 9, code: 0, codespace: '', log: '', ...this.result }),
    };
    return fake as unknown as ChainClient;
  }

  #take(raw: Uint8Array): { code: number; codespace?: string; log?: string; hash: Uint8Array } {
    const { signerInfos, fee } = AuthInfo.decode(TxRaw.decode(raw).authInfoBytes);
    const sequence = signerInfos[0]?.sequence ?? 0n;
    const hash = Uint8Array.of(Number(sequence));
    if (this.refuse !== undefined) {
      const refusal = this.refuse;
      this.refuse = undefined;
      return { ...refusal, hash };
    }
    if (sequence !== this.sequence)
      return {
        code: 32,
        codespace: 'sdk',
        log: `account sequence mismatch, expected ${this.sequence}, got ${sequence}`,
        hash,
      };
    this.sequence += 1n;
    this.accepted.push({
      sequence,
      gas: fee?.gasLimit ?? 0n,
      fee: fee?.amount.map(({ amount, denom }) => amount + denom).join() ?? '',
    });
    return { code: 0, hash };
  }
}

const send = { typeUrl: '/cosmos.bank.v1beta1.MsgSend', value: { fromAddress: '', toAddress: '', amount: [] } };
let chain: FakeChain;
let sender: Sender;

beforeEach(async () => {
  chain = new FakeChain();
  const signer = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'mu' });
  sender = await Sender.create({
    client: chain.client(),
    signer,
    registry: createRegistry(),
    gasPriceMicro: 1_500n,
    feeDenom: 'umu',
    pause: () => Promise.resolve(),
  });
});

test('transactions that are sent at once leave in turn, and the sequence is asked for once', async () => {
  await Promise.all([sender.send([send]), sender.send([send]), sender.send([send])]);
  expect(chain.accepted.map(({ sequence }) => sequence)).toEqual([5n, 6n, 7n]);
  expect(chain.asked).toBe(1);
});

test('gas is what the simulation said and a margin, the fee its price rounded up', async () => {
  await sender.send([send]);
  expect(chain.accepted[0]).toMatchObject({ gas: 140_000n, fee: '210umu' });
});

test('a sequence that somebody else has moved is asked for anew, and nothing is lost', async () => {
  await sender.send([send]);
  chain.sequence = 40n;
  await sender.send([send]);
  await sender.send([send]);
  expect(chain.accepted.map(({ sequence }) => sequence)).toEqual([5n, 40n, 41n]);
});

describe('a refusal', () => {
  test('reaches the caller with its code, and the next transaction goes through', async () => {
    await sender.send([send]);
    chain.refuse = { codespace: 'sdk', code: 13, log: 'insufficient fees' };
    await expect(sender.send([send])).rejects.toMatchObject({ codespace: 'sdk', code: 13 });
    await sender.send([send]);
    expect(chain.accepted.map(({ sequence }) => sequence)).toEqual([5n, 6n]);
  });

  test('in the block is an error with its hash', async () => {
    chain.result = { code: 5, codespace: 'market', log: 'no' };
    const failed = sender.sendAndWait([send]);
    await expect(failed).rejects.toBeInstanceOf(ChainError);
    await expect(failed).rejects.toMatchObject({ codespace: 'market', code: 5, hash: '05' });
  });
});

test('a simulation has a fee where the transaction will have one: taking it needs gas', async () => {
  await sender.send([send]);
  expect(chain.simulated).toBe('1umu');
  const signer = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'mu' });
  const free = { client: chain.client(), signer, registry: createRegistry(), gasPriceMicro: 0n, feeDenom: 'umu' };
  await (await Sender.create({ ...free, extraGas: 7n })).send([send]);
  expect(chain.simulated).toBe('');
  expect(chain.accepted.at(-1)).toMatchObject({ gas: 140_007n, fee: '' });
});
