import { sha256 } from '@mu/lib/hashes';
import secp256k1 from 'secp256k1';
import { isCanonicalSignature, SignatureVerifier, usesNativeSecp256k1 } from '../src/signatures.ts';
import { keyOf } from './ante-chain.ts';

const key = keyOf(9);
const signBytes = new TextEncoder().encode('what is signed');
const signature = secp256k1.ecdsaSign(sha256(signBytes), key.secret).signature;

/** The same proof with n − s. */
function highS(low: Uint8Array): Uint8Array {
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const s = order - BigInt(`0x${Buffer.from(low.slice(32)).toString('hex')}`);
  return Uint8Array.from([...low.slice(0, 32), ...Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
}

describe('signatures', () => {
  it('are verified by the native library', () => {
    expect(usesNativeSecp256k1()).toBe(true);
  });

  it('are right or wrong', () => {
    const verifier = new SignatureVerifier();
    expect(verifier.verify(key.publicKey, signBytes, signature)).toBe(true);
    expect(verifier.verify(keyOf(8).publicKey, signBytes, signature)).toBe(false);
    expect(verifier.verify(key.publicKey, signBytes.slice(1), signature)).toBe(false);
  });

  it('have one encoding', () => {
    const verifier = new SignatureVerifier();
    expect(isCanonicalSignature(signature)).toBe(true);
    for (const other of [highS(signature), signature.slice(1), new Uint8Array(64), new Uint8Array(64).fill(255)]) {
      expect(isCanonicalSignature(other)).toBe(false);
      expect(verifier.verify(key.publicKey, signBytes, other)).toBe(false);
    }
    expect(verifier.computed).toBe(0);
  });

  it('are refused for a key that is no point of the curve', () => {
    const none = Uint8Array.from([2, ...new Uint8Array(32).fill(255)]);
    expect(new SignatureVerifier().verify(none, signBytes, signature)).toBe(false);
  });

  it('are computed once when they are right, each time when they are wrong', () => {
    const verifier = new SignatureVerifier(2);
    verifier.verify(key.publicKey, signBytes, signature);
    expect(verifier.verify(key.publicKey, signBytes, signature)).toBe(true);
    expect(verifier.computed).toBe(1);
    const wrong = signature.map((byte, at) => (at === 5 ? byte ^ 1 : byte));
    verifier.verify(key.publicKey, signBytes, wrong);
    expect(verifier.verify(key.publicKey, signBytes, wrong)).toBe(false);
    expect(verifier.computed).toBe(3);
  });

  it('make room for others at the bound', () => {
    const verifier = new SignatureVerifier(1);
    const other = keyOf(7);
    const second = secp256k1.ecdsaSign(sha256(signBytes), other.secret).signature;
    verifier.verify(key.publicKey, signBytes, signature);
    verifier.verify(other.publicKey, signBytes, second);
    expect(verifier.verify(key.publicKey, signBytes, signature)).toBe(true);
    expect(verifier.computed).toBe(3);
  });
});
