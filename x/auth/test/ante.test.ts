/** Every refusal of the checks before the messages: code and text. The gas of each is measured in x/bank/test/golden. */
import { toBech32 } from '@mu/lib/bech32';
import { PubKey as Ed25519PubKey } from 'cosmjs-types/cosmos/crypto/ed25519/keys';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import { utcText } from '../src/ante/timeout.ts';
import { parseGasPrices } from '../src/ante.ts';
import { AnteChain, type AnteChainOptions, alice, bob, keyOf, type TxOptions } from './ante-chain.ts';

const stake = (amount: string): { denom: string; amount: string }[] => [{ denom: 'stake', amount }];
const ok = { failure: undefined };

function refusal(options: TxOptions, chain: AnteChainOptions = {}): [number | undefined, string | undefined] {
  const { failure } = new AnteChain(chain).run(options);
  expect(failure?.codespace).toBe('sdk');
  return [failure?.code, failure?.log];
}

describe('envelope', () => {
  it('refuses extension options (31)', () => {
    const option = { typeUrl: PubKey.typeUrl, value: new Uint8Array() };
    expect(refusal({ extensionOptions: [option] })).toEqual([31, 'unknown extension options']);
  });

  it('refuses more gas than a block has (41)', () => {
    const text = 'tx gas limit 101 exceeds block max gas 100: invalid gas limit';
    expect(refusal({ gas: 101n }, { blockGasLimit: 100n })).toEqual([41, text]);
    expect(new AnteChain({ blockGasLimit: 200_000n }).run()).toMatchObject(ok);
  });

  it('refuses more gas than 2^63 − 1 (18)', () => {
    const text = 'invalid gas supplied; 9223372036854775808 > 9223372036854775807: invalid request';
    expect(refusal({ gas: 2n ** 63n })).toEqual([18, text]);
  });

  it('refuses no signature (15) and a wrong number of them (4)', () => {
    expect(refusal({ mangle: () => [] })).toEqual([15, 'no signatures supplied']);
    const text = 'wrong number of signers; expected 1, got 2: unauthorized';
    expect(refusal({ mangle: ([one]) => [one!, one!] })).toEqual([4, text]);
  });

  it('does not look at them again in a recheck', () => {
    expect(new AnteChain().run({ gas: 2n ** 63n }, 'recheck').failure).toBeUndefined();
  });

  it('refuses a memo that is too long, in bytes (12)', () => {
    const text = 'maximum number of characters is 256 but received 258 characters: memo too large';
    expect(refusal({ memo: 'ü'.repeat(129) })).toEqual([12, text]);
    expect(new AnteChain().run({ memo: 'm'.repeat(256) })).toMatchObject(ok);
  });

  it('refuses unordered transactions (37)', () => {
    expect(refusal({ unordered: true })).toEqual([37, 'unordered transactions are not enabled: feature not supported']);
  });

  it('runs out of gas where the limit is reached (11), and reports what it wanted', () => {
    const result = new AnteChain().run({ gas: 1_500n });
    expect(result.gasWanted).toBe(1_500n);
    expect(result.failure?.code).toBe(11);
    const text = `out of gas in location: txSize; gasWanted: 1500, gasUsed: ${result.gasUsed}: out of gas`;
    expect(result.failure?.log).toBe(text);
  });
});

describe('fee', () => {
  it('refuses below zero, null, invalid lists (13) and what is not there (5)', () => {
    expect(refusal({ fee: stake('-1') })).toEqual([13, 'invalid fee provided: -1stake: insufficient fee']);
    expect(refusal({ fee: stake('') })).toEqual([13, 'invalid fee provided: null: insufficient fee']);
    const twice = [...stake('1'), ...stake('1')];
    expect(refusal({ fee: twice })).toEqual([13, 'invalid fee amount: 1stake,1stake: insufficient fee']);
    expect(refusal({ fee: stake('1001') })).toEqual([5, 'you have 1000: insufficient funds: insufficient funds']);
  });

  it('refuses below this node’s prices, in its own check alone (13)', () => {
    const minGasPrices = parseGasPrices('0.001stake,2umu');
    const text = 'insufficient fees; got: 199stake required: 200stake,400000umu: insufficient fee';
    expect(refusal({ fee: stake('199') }, { minGasPrices })).toEqual([13, text]);
    const chain = new AnteChain({ minGasPrices });
    expect(chain.run({ fee: stake('200') })).toMatchObject(ok);
    expect(new AnteChain({ minGasPrices }).run({ fee: stake('1') }, 'recheck').failure?.code).toBe(13);
    // The message is refused by auth itself: the checks have let it pass.
    expect(new AnteChain({ minGasPrices }).run({ fee: stake('1') }, 'finalize').failure?.codespace).toBe('gov');
    expect(chain.fees).toEqual([[alice.text, '200stake']]);
  });

  it('rounds what is asked up', () => {
    const minGasPrices = parseGasPrices('0.0000001stake');
    expect(refusal({ fee: [] }, { minGasPrices })).toEqual([
      13,
      'insufficient fees; got:  required: 1stake: insufficient fee',
    ]);
  });

  it('refuses a granter (18) and a payer without an account (9)', () => {
    expect(refusal({ granter: bob.text })).toEqual([18, 'fee grants are not enabled: invalid request']);
    const carol = keyOf(3);
    const text = `fee payer address: ${carol.text} does not exist: unknown address`;
    expect(refusal({ keys: [carol] })).toEqual([9, text]);
  });

  it('refuses a payer that is no address (7)', () => {
    const [code, log] = refusal({ payer: 'mu1nobody' });
    expect(code).toBe(7);
    expect(log).toMatch(/^Invalid fee payer address \(decoding bech32 failed: .*\): invalid address$/);
  });

  it('is taken of the payer, who signs', () => {
    const chain = new AnteChain();
    expect(chain.run({ keys: [alice, bob], signers: [alice], payer: bob.text, fee: stake('7') })).toMatchObject(ok);
    expect(chain.fees).toEqual([[bob.text, '7stake']]);
    expect(refusal({ payer: bob.text })).toEqual([4, 'wrong number of signers; expected 2, got 1: unauthorized']);
  });

  it('reads prices of a text', () => {
    expect(parseGasPrices('')).toEqual([]);
    expect(() => parseGasPrices('umu')).toThrow('"umu" is not a gas price like 0.025umu');
    expect(() => parseGasPrices('1.2.3umu')).toThrow('is not a gas price');
  });
});

describe('keys and signatures', () => {
  const verification = (reason: string): string =>
    `signature verification failed; please verify account number (0) and chain-id (ante-1): (${reason}): unauthorized`;

  it('refuses another one’s key (8)', () => {
    const publicKey = { typeUrl: PubKey.typeUrl, value: PubKey.encode({ key: bob.publicKey }).finish() };
    const text = `pubKey does not match signer address ${alice.text} with signer index: 0: invalid pubkey`;
    expect(refusal({ publicKey })).toEqual([8, text]);
  });

  it('refuses keys of another kind or form (8)', () => {
    const ed25519 = {
      typeUrl: Ed25519PubKey.typeUrl,
      value: Ed25519PubKey.encode({ key: new Uint8Array(32) }).finish(),
    };
    const kind = 'unrecognized public key type: /cosmos.crypto.ed25519.PubKey: invalid pubkey';
    expect(refusal({ publicKey: ed25519 })).toEqual([8, kind]);
    const short = { typeUrl: PubKey.typeUrl, value: PubKey.encode({ key: new Uint8Array(32).fill(2) }).finish() };
    const form = 'a secp256k1 key has 33 bytes and begins with 2 or 3: invalid pubkey';
    expect(refusal({ publicKey: short })).toEqual([8, form]);
  });

  it('refuses an account whose key nobody has told (8)', () => {
    expect(refusal({ publicKey: null })).toEqual([8, 'unrecognized public key type: <nil>: invalid pubkey']);
  });

  it('learns the key with the first transaction and needs it no more', () => {
    const chain = new AnteChain();
    expect(chain.run()).toMatchObject(ok);
    expect(chain.run({ publicKey: null, sequence: 1n })).toMatchObject(ok);
    const account = chain.auth.keeper.getAccount(chain.ctx, alice.address);
    expect(account).toMatchObject({ sequence: 2n, pubKey: { typeUrl: PubKey.typeUrl } });
  });

  it('refuses more signatures than the parameter allows (14)', () => {
    const keys = [1, 2, 3, 4, 5, 6, 7, 8].map(keyOf);
    const chain = new AnteChain();
    for (const { address } of keys.slice(2)) chain.auth.keeper.createAccount(chain.ctx, address);
    const { failure } = chain.run({ keys });
    expect(failure).toMatchObject({ code: 14, log: 'signatures: 8, limit: 7: maximum number of signatures exceeded' });
  });

  it('refuses a signer info that says nothing of how it signed (14)', () => {
    const text = 'SignatureData is required: maximum number of signatures exceeded';
    expect(refusal({ modeInfo: null })).toEqual([14, text]);
  });

  it('refuses a wrong sequence (32)', () => {
    const text = 'account sequence mismatch, expected 0, got 3: incorrect account sequence';
    expect(refusal({ sequence: 3n })).toEqual([32, text]);
  });

  it('refuses a signature over something else (4)', () => {
    const text = verification('unable to verify single signer signature');
    expect(refusal({ accountNumbers: [7n] })).toEqual([4, text]);
    expect(refusal({ mangle: ([one]) => [one!.slice(1)] })).toEqual([4, text]);
    expect(refusal({ mangle: () => [new Uint8Array(64)] })).toEqual([4, text]);
    expect(refusal({ mangle: () => [new Uint8Array(64).fill(255)] })).toEqual([4, text]);
  });

  it('refuses sign modes that are not offered (4)', () => {
    const refused = (mode: SignMode): unknown => refusal({ mode });
    const amino = verification('unsuppored sign mode SIGN_MODE_LEGACY_AMINO_JSON');
    expect(refused(SignMode.SIGN_MODE_LEGACY_AMINO_JSON)).toEqual([4, amino]);
    expect(refused(SignMode.SIGN_MODE_TEXTUAL)).toEqual([4, verification('unsuppored sign mode SIGN_MODE_TEXTUAL')]);
    const none = verification('unsupported sign mode SIGN_MODE_UNSPECIFIED');
    expect(refused(SignMode.SIGN_MODE_UNSPECIFIED)).toEqual([4, none]);
    expect(refused(99 as SignMode)).toEqual([4, verification('unsupported sign mode 99')]);
    expect(refusal({ modeInfo: { multi: { modeInfos: [] } } })).toEqual([
      4,
      verification('multi-signatures are not supported'),
    ]);
  });

  it('leaves nothing of a transaction that it refuses', () => {
    const chain = new AnteChain();
    const before = chain.auth.keeper.getAccount(chain.ctx, alice.address);
    const result = chain.run({ accountNumbers: [7n], fee: stake('5') });
    expect(result.events).toEqual([]);
    expect(chain.auth.keeper.getAccount(chain.ctx, alice.address)).toEqual(before);
  });

  it('refuses a module account as signer: it has no key (8)', () => {
    const chain = new AnteChain();
    const address = chain.auth.keeper.getModuleAccount(chain.ctx, 'minter').address;
    const { failure } = chain.run({ keys: [{ ...alice, address, text: toBech32('mu', address) }] });
    expect(failure).toMatchObject({ code: 8 });
  });
});

describe('times as Go prints them', () => {
  it.each([
    [0n, '1970-01-01 00:00:00 +0000 UTC'],
    [1_709_210_096_500_000_000n, '2024-02-29 12:34:56.5 +0000 UTC'],
    [4_102_444_799_999_999_999n, '2099-12-31 23:59:59.999999999 +0000 UTC'],
    [-62_135_596_800_000_000_000n, '0001-01-01 00:00:00 +0000 UTC'],
  ])('%s', (timeNs, text) => {
    expect(utcText(timeNs)).toBe(text);
  });
});
