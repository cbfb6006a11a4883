/** Rows of "What broke other chains": what arrives, and how it is read. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { txLimits } from '@mu/framework/tx';
import { concatBytes } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { encodeVarint } from '@mu/lib/varint';
import { MsgSubmitLease } from '@mu/proto/market';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { AuthInfo, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { ResponseProcessProposal_ProposalStatus as Status } from 'cosmjs-types/tendermint/abci/types';
import { type Account, accountOf, any, denom, genesisFor, MuChain, signTx } from '../app/mu-chain.ts';
import { rawTx } from '../requirements/proposals.ts';

let user: Account;
let other: Account;
beforeAll(async () => {
  [user, other] = [await accountOf('user'), await accountOf('other')];
});
const begin = (): MuChain => MuChain.begin(genesisFor([user, other]));
const send = (amount: string): Any =>
  any(MsgSend, { fromAddress: user.address, toAddress: other.address, amount: [{ denom, amount }] });

/** Code in the mempool, as a proposal and in a block. */
function verdicts(chain: MuChain, raw: Uint8Array): [number, Status, number] {
  const { code } = chain.app.checkTx({ tx: raw, type: 0 });
  const status = chain.process([raw]);
  const [result] = chain.feed({ height: chain.height + 1n, txs: [raw] }, 1).results;
  return [code, status, result?.code ?? -1];
}
const refused = [2, Status.REJECT, 2];

const field = (tag: number, value: Uint8Array): Uint8Array =>
  concatBytes(Uint8Array.of(tag), encodeVarint(value.length), value);

/** A plan whose client state is an Any in an Any in an Any … */
function nestedAny(levels: number): Any {
  const typeUrl = new TextEncoder().encode('/google.protobuf.Any');
  let value: Uint8Array = new Uint8Array();
  for (let level = 0; level < levels; level += 1) value = concatBytes(field(0x0a, typeUrl), field(0x12, value));
  const plan = field(0x2a, value);
  return { typeUrl: MsgSoftwareUpgrade.typeUrl, value: field(0x12, plan) };
}

describe('nested Any, huge nesting, unbounded decode (ASA-2024-012/013)', () => {
  test.each([9, 40, 5_000])('an Any of %d levels is refused before it is decoded', (levels) => {
    expect(verdicts(begin(), rawTx([nestedAny(levels)]))).toEqual(refused);
  });

  test('a transaction above the bound of bytes, or with more messages than allowed, is refused', () => {
    const large = rawTx([send('1')], { memo: 'x'.repeat(txLimits.bytes) });
    expect(verdicts(begin(), large)).toEqual(refused);
    const many = rawTx(Array.from({ length: txLimits.messages + 1 }, () => send('1')));
    expect(verdicts(begin(), many)).toEqual(refused);
  });

  test('a length that says more than there is, and a group without end, are refused', () => {
    for (const bodyBytes of [Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), new Uint8Array(1_000).fill(0x0b)]) {
      const authInfoBytes = AuthInfo.encode(AuthInfo.fromPartial({ fee: {} })).finish();
      const raw = TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [new Uint8Array(64)] }).finish();
      expect(verdicts(begin(), raw)).toEqual(refused);
    }
  });
});

describe('integer widths differed between decode and arithmetic (ASA-2024-010)', () => {
  const bits256 = 2n ** 256n;
  test.each([
    ['the largest amount is read and cannot be paid', `${bits256 - 1n}`, 5],
    ['one above it is no amount', `${bits256}`, 2],
    ['an amount of many digits is no amount', '9'.repeat(10_000), 2],
  ])('%s', async (_what, amount, code) => {
    const chain = begin();
    const raw = await signTx(user, [send(amount)], 0n, 0n);
    expect(chain.feed({ height: 1n, txs: [raw] }, 1).results[0]?.code).toBe(code);
  });

  test('gas above 2⁶³ − 1 is refused wherever it is read', () => {
    const raw = rawTx([send('1')], { gas: 2n ** 64n - 1n });
    const [check, status, block] = verdicts(begin(), raw);
    expect([check, status, block].includes(0)).toBe(false);
    expect(status).toBe(Status.REJECT);
  });
});

describe('authz skipped signer checks in nested messages (Elderflower)', () => {
  test('no message carries another one: MsgExec is unknown here', () => {
    const exec = { typeUrl: '/cosmos.authz.v1beta1.MsgExec', value: field(0x12, send('1').value) };
    expect(verdicts(begin(), rawTx([exec]))).toEqual(refused);
  });

  test('each message of a transaction needs its own signer', async () => {
    const theirs = any(MsgSend, {
      fromAddress: other.address,
      toAddress: user.address,
      amount: [{ denom, amount: '1' }],
    });
    const chain = begin();
    const { results } = await chain.block({ from: user, messages: [send('1'), theirs] });
    expect(results[0]?.code).toBe(4);
  });

  test('the market’s account signs nowhere, behind another message neither', async () => {
    const chain = begin();
    const { toBech32 } = await import('@mu/lib/bech32');
    const { moduleAddress } = await import('@mu/lib/address');
    const sender = toBech32('mu', moduleAddress('market'));
    const order = { owner: user.address, dseq: 1n, infrastructure: 0, round: 1 };
    const lease = any(MsgSubmitLease, MsgSubmitLease.fromPartial({ sender, order }));
    const { results } = await chain.block({ from: user, messages: [send('1'), lease] });
    expect(results[0]).toMatchObject({ codespace: 'sdk', code: 4 });
  });
});

describe('JSON decoded differently on nodes (ISA-2025-001)', () => {
  test('an envelope that is not canonical is refused, though every decoder reads it', async () => {
    const good = TxRaw.decode(await signTx(user, [send('1')], 0n, 0n));
    const swapped = concatBytes(
      field(0x12, good.authInfoBytes),
      field(0x0a, good.bodyBytes),
      field(0x1a, good.signatures[0] as Uint8Array),
    );
    expect(TxRaw.decode(swapped)).toEqual(good);
    expect(verdicts(begin(), swapped)).toEqual(refused);
    const long = concatBytes(Uint8Array.of(0x0a), longVarint(good.bodyBytes.length), good.bodyBytes);
    const padded = concatBytes(long, field(0x12, good.authInfoBytes), field(0x1a, good.signatures[0] as Uint8Array));
    expect(verdicts(begin(), padded)).toEqual(refused);
  });

  test('body and auth info are hashed as received: fields in another order are another transaction, signed as such', async () => {
    const body = TxBody.encode(TxBody.fromPartial({ messages: [send('1')], memo: 'hello' })).finish();
    const memo = field(0x12, new TextEncoder().encode('hello'));
    const reordered = concatBytes(memo, body.subarray(0, body.length - memo.length));
    expect(TxBody.decode(reordered)).toEqual(TxBody.decode(body));
    const good = TxRaw.decode(await signTx(user, [send('1')], 0n, 0n));
    const raw = TxRaw.encode({ ...good, bodyBytes: reordered }).finish();
    const chain = begin();
    const tx = chain.app.decode(raw, chain.app.chain);
    expect(tx.bodyBytes).toEqual(reordered);
    expect(tx.hash).toEqual(sha256(raw));
    // The signature was for the other order.
    expect(chain.feed({ height: 1n, txs: [raw] }, 1).results[0]?.code).toBe(4);
  });

  test('genesis with a key that nobody knows is refused', () => {
    const state = genesisFor([user]);
    const odd = { ...state, bank: { ...(state['bank'] as object), suply: [] } };
    expect(() => MuChain.begin(odd as never)).toThrow('suply');
  });
});

/** A length in one byte more than it needs. */
function longVarint(value: number): Uint8Array {
  const short = encodeVarint(value);
  return Uint8Array.of(...short.subarray(0, -1), (short.at(-1) as number) | 0x80, 0);
}
