/** A transaction is decoded, and what follows from it alone computed, once; answers are the same as each time anew. */
import { perTx } from '@mu/framework/tx';
import { Any } from 'cosmjs-types/google/protobuf/any';
import fc from 'fast-check';
import { secp256k1Any, toAny } from '../src/account.ts';
import { encodeAccount } from '../src/account-codec.ts';
import { unverifiedClaims } from '../src/ante/verify-signatures.ts';
import { SignatureVerifier, verifyDigest } from '../src/signatures.ts';
import { AnteChain, alice, bob, encodeTx, keyOf, prefix } from './ante-chain.ts';

const byAlice = { keys: [alice] };

describe('a transaction', () => {
  it('is one object, whichever buffer its bytes come in', () => {
    const chain = new AnteChain();
    const buffer = Buffer.concat([Buffer.alloc(7), encodeTx(byAlice), Buffer.alloc(9)]);
    const first = chain.decode(buffer.subarray(7, buffer.length - 9));
    expect(chain.decode(encodeTx(byAlice))).toBe(first);
    buffer.fill(0);
    expect(first.raw).toEqual(encodeTx(byAlice));
    expect(Buffer.from(first.signatures[0] as Uint8Array).every((byte) => byte === 0)).toBe(false);
    expect(first.raw.buffer.byteLength).toBe(first.raw.length);
  });

  it('of many bytes is never taken for a short one that is its hash', () => {
    const chain = new AnteChain();
    const long = chain.decode(encodeTx({ ...byAlice, memo: 'm'.repeat(9_000) }));
    expect(chain.decode(encodeTx({ ...byAlice, memo: 'm'.repeat(9_000) }))).toBe(long);
    expect(() => chain.decode(long.hash)).toThrow('tx parse error');
    expect(() => chain.decode(Uint8Array.of(...long.hash, 0))).toThrow('tx parse error');
  });

  it('has what follows from it computed once', () => {
    const chain = new AnteChain();
    let computed = 0;
    const memoOf = perTx((tx) => {
      computed += 1;
      return { memo: tx.body.memo };
    });
    const tx = chain.decode(encodeTx({ ...byAlice, memo: 'once' }));
    expect([
      memoOf(tx).memo,
      memoOf(tx).memo,
      memoOf(chain.decode(encodeTx({ ...byAlice, memo: 'two' }))).memo,
    ]).toEqual(['once', 'once', 'two']);
    expect(computed).toBe(2);
  });
});

describe('a signature that was right', () => {
  const signatures = new SignatureVerifier();

  it('is not computed again for the same account', () => {
    const chain = new AnteChain({ signatures });
    expect(chain.run(byAlice).failure).toBeUndefined();
    const { computed } = signatures;
    // Another decoder makes another object of it: what remembers now is the verifier.
    const again = new AnteChain({ signatures });
    expect(again.run(byAlice).failure).toBeUndefined();
    expect(signatures.computed).toBe(computed);
  });

  it('is wrong under another account number, though the transaction is the same object', () => {
    const chain = new AnteChain({ signatures });
    const raw = encodeTx(byAlice);
    const { ctx, write } = chain.ctx.branch();
    expect(chain.runRaw(raw).failure).toBeUndefined();
    const account = chain.auth.keeper.getAccount(ctx, alice.address);
    if (account === undefined) throw new Error('alice has an account');
    chain.auth.keeper.setAccount(ctx, { ...account, accountNumber: 77n, sequence: 0n });
    write();
    expect(chain.runRaw(raw).failure?.log).toContain('please verify account number (77)');
    chain.auth.keeper.setAccount(chain.ctx, { ...account, accountNumber: 0n, sequence: 0n });
    expect(chain.runRaw(raw).failure).toBeUndefined();
  });

  it('is wrong under another key', () => {
    const chain = new AnteChain({ signatures });
    const raw = encodeTx({ ...byAlice, publicKey: null });
    const set = (key: Uint8Array): void => {
      const account = chain.auth.keeper.getAccount(chain.ctx, alice.address);
      if (account === undefined) throw new Error('alice has an account');
      chain.auth.keeper.setAccount(chain.ctx, { ...account, pubKey: secp256k1Any(key), sequence: 0n });
    };
    set(alice.publicKey);
    expect(chain.runRaw(raw).failure).toBeUndefined();
    set(bob.publicKey);
    expect(chain.runRaw(raw).failure?.code).toBe(4);
    set(alice.publicKey);
    expect(chain.runRaw(raw).failure).toBeUndefined();
  });

  it('is computed each time where nothing is to be remembered', () => {
    const forgetful = new SignatureVerifier(0);
    for (let round = 1; round <= 3; round += 1) {
      expect(new AnteChain({ signatures: forgetful }).run(byAlice).failure).toBeUndefined();
      expect(forgetful.computed).toBe(round);
    }
  });
});

describe('what is to be verified of a transaction', () => {
  const claimsOf = (chain: AnteChain, verifier: SignatureVerifier, raw: Uint8Array) =>
    unverifiedClaims(chain.ctx, { auth: chain.auth.keeper, verifier }, chain.decode(raw));

  it('is each signature, until it is accepted', () => {
    const verifier = new SignatureVerifier();
    const chain = new AnteChain({ signatures: verifier });
    const raw = encodeTx({ keys: [alice, bob] });
    const claims = claimsOf(chain, verifier, raw);
    expect(claims.map(({ key, digest, signature }) => verifyDigest(key, digest, signature))).toEqual([true, true]);
    claims[0]?.accept();
    expect(claimsOf(chain, verifier, raw)).toHaveLength(1);
    claims[1]?.accept();
    expect(claimsOf(chain, verifier, raw)).toEqual([]);
    expect(chain.runRaw(raw).failure).toBeUndefined();
    expect([verifier.computed, verifier.remembered]).toEqual([0, 2]);
  });

  it('is nothing where the checks refuse it for another reason', () => {
    const verifier = new SignatureVerifier();
    const chain = new AnteChain({ signatures: verifier });
    const stranger = keyOf(5);
    expect(claimsOf(chain, verifier, encodeTx({ keys: [stranger] }))).toEqual([]);
    expect(claimsOf(chain, verifier, encodeTx({ ...byAlice, publicKey: null }))).toEqual([]);
    expect(claimsOf(chain, verifier, encodeTx({ ...byAlice, mangle: () => [] }))).toEqual([]);
    expect(claimsOf(chain, verifier, encodeTx({ ...byAlice, modeInfo: null }))).toEqual([]);
  });
});

describe('an account written by hand', () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

  it('is the bytes of the generated code', () => {
    fc.assert(
      fc.property(
        u64,
        fc.oneof(u64, fc.constant(0n)),
        fc.option(fc.uint8Array({ minLength: 33, maxLength: 200 }), { nil: undefined }),
        fc.boolean(),
        (accountNumber, sequence, key, isModule) => {
          const pubKey = key && secp256k1Any(key);
          const module = isModule ? { name: 'minter', permissions: ['minter', 'burner'] } : undefined;
          const account = { address: alice.address, addressText: alice.text, pubKey, accountNumber, sequence, module };
          expect(Buffer.from(encodeAccount(account)).equals(Any.encode(toAny(account)).finish())).toBe(true);
        },
      ),
    );
    expect(alice.text.startsWith(prefix)).toBe(true);
  });
});
