/** Messages that the golden vector cannot send: those of the authority. The others are in golden.test.ts. */
import { alice, BankChain, bob, refusal, umu } from './bank-chain.ts';

const send = { fromAddress: alice, toAddress: bob, amount: umu(1) };

describe('parameters', () => {
  it('are changed by the authority alone (gov 13)', () => {
    const { msgs, ctx } = new BankChain();
    const update = { authority: alice, params: { sendEnabled: [], defaultSendEnabled: false } };
    const [codespace, code, text] = refusal(() => msgs.updateParams(ctx, update));
    expect([codespace, code]).toEqual(['gov', 13]);
    expect(text).toMatch(/^invalid authority; expected mu1.*, got mu1.*: expected gov account as only signer/);
    expect(refusal(() => msgs.setSendEnabled(ctx, { authority: bob, sendEnabled: [], useDefaultFor: [] }))[1]).toBe(13);
  });

  it('close the sending of everything that has no entry', () => {
    const chain = new BankChain();
    const { msgs, ctx } = chain;
    const authority = chain.module('gov');
    msgs.updateParams(ctx, { authority, params: { sendEnabled: [], defaultSendEnabled: false } });
    expect(refusal(() => msgs.send(ctx, send))).toEqual([
      'bank',
      5,
      'umu transfers are currently disabled: send transactions are disabled',
    ]);
    msgs.setSendEnabled(ctx, { authority, sendEnabled: [{ denom: 'umu', enabled: true }], useDefaultFor: [] });
    msgs.send(ctx, send);
    expect(chain.bank.keeper.balance(ctx, bob, 'umu')).toBe(1n);
    msgs.setSendEnabled(ctx, { authority, sendEnabled: [], useDefaultFor: ['umu'] });
    expect(refusal(() => msgs.send(ctx, send))[1]).toBe(5);
  });

  it('are refused where they make no sense (18)', () => {
    const chain = new BankChain();
    const { msgs, ctx } = chain;
    const authority = chain.module('gov');
    const entry = { denom: 'umu', enabled: true };
    const params = { sendEnabled: [entry], defaultSendEnabled: true };
    expect(refusal(() => msgs.updateParams(ctx, { authority, params }))).toEqual([
      'sdk',
      18,
      'use of send_enabled in params is no longer supported: invalid request',
    ]);
    const twice = { authority, sendEnabled: [entry, entry], useDefaultFor: [] };
    expect(refusal(() => msgs.setSendEnabled(ctx, twice))[2]).toContain('duplicate denom entries found for "umu"');
    const none = { authority, sendEnabled: [], useDefaultFor: ['x'] };
    expect(refusal(() => msgs.setSendEnabled(ctx, none))[2]).toContain('invalid UseDefaultFor denom "x"');
  });
});

describe('multi-send', () => {
  it('needs an input (bank 2)', () => {
    const { msgs, ctx } = new BankChain();
    expect(refusal(() => msgs.multiSend(ctx, { inputs: [], outputs: [] })).slice(0, 2)).toEqual(['bank', 2]);
  });

  it('is refused to modules (4)', () => {
    const chain = new BankChain();
    const outputs = [{ address: chain.module('billing'), coins: umu(1) }];
    const inputs = [{ address: alice, coins: umu(1) }];
    expect(refusal(() => chain.msgs.multiSend(chain.ctx, { inputs, outputs }))[1]).toBe(4);
  });
});
