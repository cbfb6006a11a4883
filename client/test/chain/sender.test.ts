import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ChainError } from '../../src/chain/errors.ts';
import { createRegistry } from '../../src/chain/registry.ts';
import { Sender, type SenderOptions, TxPendingError, timeoutBlocks } from '../../src/chain/sender.ts';
import { FakeChain } from './fake-chain.ts';

const mnemonic = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about';
const send = { typeUrl: '/cosmos.bank.v1beta1.MsgSend', value: { fromAddress: '', toAddress: '', amount: [] } };

let chain: FakeChain;
let sender: Sender;

async function senderOf(change: Partial<SenderOptions> = {}): Promise<Sender> {
  return Sender.create({
    client: chain.client(),
    signer: await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'mu' }),
    registry: createRegistry(),
    gasPriceMicro: 1_500n,
    feeDenom: 'umu',
    pause: chain.pause,
    ...change,
  });
}

beforeEach(async () => {
  chain = new FakeChain();
  sender = await senderOf();
});

const sequences = (): bigint[] => chain.accepted.map(({ sequence }) => sequence);

describe('transactions', () => {
  test('that are sent at once leave in turn without waiting for blocks, and the sequence is asked for once', async () => {
    chain.pausesPerBlock = 0;
    const sent = await Promise.all(['a', 'b', 'c'].map((memo) => sender.send([send], memo)));
    expect(sequences()).toEqual([5n, 6n, 7n]);
    expect(chain.asked).toBe(1);
    chain.block();
    const committed = await Promise.all(sent.map((one) => one.committed()));
    expect(committed.map(({ height }) => height)).toEqual([11, 11, 11]);
    expect(committed.map(({ hash }) => hash)).toEqual(sent.map(({ hash }) => hash));
    expect(chain.ran).toEqual(['a', 'b', 'c']);
  });

  test('have a last height, after which they are dead', async () => {
    await sender.send([send]);
    expect(chain.accepted[0]?.timeoutHeight).toBe(10n + timeoutBlocks);
  });

  test('pay for what the simulation said and a margin, the fee rounded up', async () => {
    await sender.send([send]);
    expect(chain.accepted[0]).toMatchObject({ gas: 140_000n, fee: '210umu' });
  });

  test('are simulated with a fee where they will have one: taking it needs gas', async () => {
    await sender.send([send]);
    expect(chain.simulated[0]?.fee).toBe('1umu');
    chain.block();
    await (await senderOf({ gasPriceMicro: 0n, extraGas: 7n })).send([send]);
    expect(chain.simulated.at(-1)?.fee).toBe('');
    expect(chain.accepted.at(-1)).toMatchObject({ gas: 140_007n, fee: '' });
  });
});

describe('a refusal', () => {
  test('reaches the caller with its code, and the next transaction goes through', async () => {
    await sender.send([send], 'a');
    chain.refuse = { codespace: 'sdk', code: 13, log: 'insufficient fees' };
    await expect(sender.send([send], 'b')).rejects.toMatchObject({ codespace: 'sdk', code: 13 });
    await (await sender.send([send], 'c')).committed();
    expect(chain.ran).toEqual(['a', 'c']);
  });

  test('in the block is an error with its hash, and is not tried again', async () => {
    chain.fails.set('a', { code: 5, codespace: 'market', log: 'no' });
    const sent = await sender.send([send], 'a');
    const failed = sent.committed();
    await expect(failed).rejects.toBeInstanceOf(ChainError);
    await expect(failed).rejects.toMatchObject({ codespace: 'market', code: 5, hash: sent.hash });
    await sender.sendAndWait([send], 'b');
    expect(chain.ran).toEqual(['b']);
    expect(sequences()).toEqual([5n, 6n]);
  });
});

describe('a sequence that is not the expected one', () => {
  test('since somebody else has used the key, is asked for anew, and nothing is lost', async () => {
    await sender.sendAndWait([send], 'a');
    chain.advance(35n);
    await sender.sendAndWait([send], 'b');
    await sender.sendAndWait([send], 'c');
    expect(sequences()).toEqual([5n, 41n, 42n]);
    expect(chain.ran).toEqual(['a', 'b', 'c']);
  });

  test('since somebody else’s transaction waits in the mempool, is found when that one is in a block', async () => {
    chain.sendByOther('other');
    await sender.sendAndWait([send], 'a');
    expect(chain.ran).toEqual(['other', 'a']);
    expect(sequences()).toEqual([6n]);
  });

  test('beside ones on their way: those are kept, and stand before', async () => {
    chain.pausesPerBlock = 0;
    const first = await sender.send([send], 'a');
    // CheckTx says no for another reason than a sequence that has moved.
    chain.refuse = { codespace: 'sdk', code: 32, log: 'account sequence mismatch' };
    const second = await sender.send([send], 'b');
    chain.pausesPerBlock = 1;
    await Promise.all([first.committed(), second.committed()]);
    expect(chain.ran).toEqual(['a', 'b']);
    expect(sequences()).toEqual([5n, 6n]);
  });

  test('for good, reaches the caller with its code, and does not stop later ones', async () => {
    await sender.sendAndWait([send], 'a');
    chain.isStubborn = true;
    await expect(sender.send([send], 'b')).rejects.toMatchObject({ codespace: 'sdk', code: 32 });
    chain.isStubborn = false;
    await (await sender.send([send], 'c')).committed();
    expect(chain.ran).toEqual(['a', 'c']);
  });
});

describe('what is lost on its way', () => {
  test('with the mempool of a node that is started again, is handed over again as it was', async () => {
    chain.pausesPerBlock = 0;
    const sent = await Promise.all(['a', 'b'].map((memo) => sender.send([send], memo)));
    chain.restart();
    expect(chain.waiting).toEqual([]);
    chain.pausesPerBlock = 8;
    await Promise.all(sent.map((one) => one.committed()));
    expect(chain.ran).toEqual(['a', 'b']);
    expect(new Set(chain.accepted.map(({ name }) => name)).size).toBe(2);
  });

  test('goes before the next one, which finds it missing', async () => {
    chain.pausesPerBlock = 0;
    const first = await sender.send([send], 'a');
    chain.restart();
    const second = await sender.send([send], 'b');
    expect(chain.waiting).toEqual(['a', 'b']);
    chain.pausesPerBlock = 1;
    await Promise.all([first.committed(), second.committed()]);
    expect(chain.ran).toEqual(['a', 'b']);
  });

  test('behind a full mempool again and again, is told when its last height has passed; later ones are not stopped', async () => {
    chain.losesAll = true;
    const lost = await sender.send([send], 'a');
    const told = lost.committed(Number.POSITIVE_INFINITY);
    await expect(told).rejects.toMatchObject({ codespace: 'sdk', code: 30, hash: lost.hash });
    expect(BigInt(chain.height)).toBeGreaterThanOrEqual(10n + timeoutBlocks);
    chain.losesAll = false;
    await sender.sendAndWait([send], 'b');
    expect(chain.ran).toEqual(['b']);
    expect(sequences().at(-1)).toBe(5n);
  });

  test('leaves a gap, which the next transaction fills; then it is signed anew, and runs once', async () => {
    chain.losesAll = true;
    const lost = await sender.send([send], 'a');
    chain.losesAll = false;
    chain.block();
    // The node does not want it any more: only other bytes can fill the gap.
    chain.refuse = { codespace: 'sdk', code: 13, log: 'insufficient fees' };
    await sender.sendAndWait([send], 'b');
    expect(chain.ran).toEqual(['b']);
    const committed = await lost.committed();
    expect(chain.ran).toEqual(['b', 'a']);
    expect(committed.hash).not.toBe(lost.hash);
  });

  test('to somebody else’s transaction with the same sequence, is signed anew, once, however many wait for it', async () => {
    chain.pausesPerBlock = 0;
    const sent = await sender.send([send], 'a');
    chain.advance(1n);
    expect(chain.waiting).toEqual([]);
    chain.pausesPerBlock = 1;
    await Promise.all([sent.committed(), sent.committed(), sent.committed()]);
    expect(chain.ran).toEqual(['a']);
    expect(sequences()).toEqual([5n, 6n]);
  });
});

describe('code 32 in the block', () => {
  test('means that it did not run: it is signed anew when its sequence has gone to another one', async () => {
    chain.pausesPerBlock = 0;
    const sent = await sender.send([send], 'a');
    chain.sequence += 1n;
    chain.block({ alsoWrong: true });
    chain.pausesPerBlock = 1;
    await sent.committed();
    expect(chain.ran).toEqual(['a']);
    expect(sequences()).toEqual([5n, 6n]);
  });

  test('for a sequence that is still to come, is no reason to sign other bytes: these may run yet', async () => {
    chain.pausesPerBlock = 0;
    chain.losesAll = true;
    const first = await sender.send([send], 'a');
    chain.losesAll = false;
    const second = await sender.send([send], 'b');
    chain.block({ alsoWrong: true });
    expect(chain.ran).toEqual([]);
    chain.pausesPerBlock = 8;
    await Promise.all([first.committed(), second.committed()]);
    expect(chain.ran).toEqual(['a', 'b']);
    expect(new Set(chain.accepted.map(({ name }) => name)).size).toBe(2);
  });
});

describe('a node that does not answer', () => {
  test('to the handing over, may have the transaction: it counts as sent, and runs once', async () => {
    chain.pausesPerBlock = 0;
    chain.losesAnswers = true;
    const first = await sender.send([send], 'a');
    chain.losesAnswers = false;
    const second = await sender.send([send], 'b');
    chain.pausesPerBlock = 1;
    await Promise.all([first.committed(), second.committed()]);
    expect(chain.ran).toEqual(['a', 'b']);
    expect(sequences()).toEqual([5n, 6n]);
  });

  test('while a block is awaited, is asked again until the limit', async () => {
    const sent = await sender.send([send], 'a');
    chain.isAway = true;
    const waited = sent.committed(10_000);
    await expect(waited).rejects.toBeInstanceOf(TxPendingError);
    await expect(waited).rejects.toThrow(/after 10 s; it may still come.*fetch failed/);
    chain.isAway = false;
    await sent.committed();
    expect(chain.ran).toEqual(['a']);
  });

  test('before anything is sent, is the caller’s to know', async () => {
    chain.isAway = true;
    await expect(sender.send([send])).rejects.toThrow('fetch failed');
    chain.isAway = false;
    await sender.sendAndWait([send], 'a');
    expect(chain.ran).toEqual(['a']);
  });
});

test('closed, it waits for nothing any more', async () => {
  chain.pausesPerBlock = 0;
  const sent = await sender.send([send]);
  sender.close();
  await expect(sent.committed(Number.POSITIVE_INFINITY)).rejects.toBeInstanceOf(TxPendingError);
});

test('over a long random history with every trouble, each message runs once, or its sender was told that it never will', async () => {
  let state = 7;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const fates: Promise<string>[] = [];
  for (let at = 0; at < 300; at += 1) {
    const what = random(10);
    chain.losesAll = what === 0;
    chain.losesAnswers = what === 1;
    if (what === 2) chain.restart();
    if (what === 3) chain.advance(1n);
    if (what === 4) chain.sendByOther(`other ${at}`);
    if (what >= 5 && what <= 7) chain.block({ alsoWrong: what === 5 });
    const fate = sender.send([send], `${at}`).then((sent) => sent.committed(Number.POSITIVE_INFINITY));
    fates.push(
      fate.then(
        () => 'ran',
        () => 'lost',
      ),
    );
    // All of these wait at once, and each one's pauses would make blocks.
    chain.pausesPerBlock = 8 * fates.length;
    if (at % 3 === 0) await sender.send([send], `again ${at}`).catch(() => undefined);
  }
  chain.losesAll = false;
  chain.losesAnswers = false;
  const told = await Promise.all(fates);
  expect(new Set(chain.ran).size).toBe(chain.ran.length);
  const own = chain.ran.filter((memo) => /^\d+$/.test(memo));
  expect(told.flatMap((fate, at) => (fate === 'ran' ? [`${at}`] : [])).sort()).toEqual([...own].sort());
  expect(own.length).toBeGreaterThan(250);
});
