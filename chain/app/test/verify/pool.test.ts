import { sha256 } from '@mu/lib/hashes';
import { usesNativeSecp256k1 } from '@mu/x-auth/signatures';
import secp256k1 from 'secp256k1';
import { batchAnswers, type DigestClaim, packBatch, verifyBatch } from '../../src/verify/batch.ts';
import { warnWithoutNative } from '../../src/verify/native.ts';
import { threadPlan, VerifyPool } from '../../src/verify/pool.ts';

/** Claims of which each third one is wrong. */
function claims(count: number): DigestClaim[] {
  return Array.from({ length: count }, (_, index) => {
    const secret = new Uint8Array(32).fill(1 + (index % 250));
    const digest = sha256(Uint8Array.of(index, index >> 8));
    const signed = index % 3 === 0 ? sha256(digest) : digest;
    return { digest, key: secp256k1.publicKeyCreate(secret), signature: secp256k1.ecdsaSign(signed, secret).signature };
  });
}

const expected = (count: number): boolean[] => Array.from({ length: count }, (_, index) => index % 3 !== 0);

const program = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(source)}`);

describe('a batch of signatures', () => {
  it.each([1, 2, 3, 64, 129, 200])('of %i is answered in its own buffer', (count) => {
    const batch = packBatch(claims(count));
    verifyBatch(batch);
    expect(batchAnswers(batch, count)).toEqual(expected(count));
  });

  it('with a key that is no point is answered', () => {
    const [claim] = claims(2).slice(1);
    const key = Uint8Array.of(2, ...new Uint8Array(32).fill(255));
    const batch = packBatch([{ ...(claim as DigestClaim), key }, claim as DigestClaim]);
    verifyBatch(batch);
    expect(batchAnswers(batch, 2)).toEqual([false, true]);
  });
});

describe('threads that verify', () => {
  it('answer each batch, whichever of them has it', async () => {
    const pool = new VerifyPool({ threads: 2 });
    const sizes = [1, 70, 3, 64, 9];
    const answers = await Promise.all(sizes.map((size) => pool.verify(claims(size))));
    expect(answers).toEqual(sizes.map(expected));
    expect(await pool.verify([])).toEqual([]);
    await pool.close();
  });

  it('that fail are told of and answer for nothing; the others go on', async () => {
    const failures: string[] = [];
    const onFailure = (error: Error): void => void failures.push(error.message);
    const source =
      "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => { throw new Error('broken'); })";
    const pool = new VerifyPool({ threads: 1, onFailure, program: program(source) });
    expect(await pool.verify(claims(4))).toEqual([false, false, false, false]);
    expect(failures).toEqual(['broken']);
    expect(pool.width).toBe(0);
    expect(await pool.verify(claims(2))).toEqual([false, false]);
    await pool.close();
  });

  it('that end are told of', async () => {
    const failures: string[] = [];
    const onFailure = (error: Error): void => void failures.push(error.message);
    const source = "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => process.exit(3))";
    const pool = new VerifyPool({ threads: 1, onFailure, program: program(source) });
    expect(await pool.verify(claims(1))).toEqual([false]);
    expect(failures).toEqual(['a thread that verifies signatures ended with code 3']);
    await pool.close();
  });

  it('are closed with what they have not answered', async () => {
    const source = "import { parentPort } from 'node:worker_threads'; parentPort.on('message', () => undefined)";
    const pool = new VerifyPool({ threads: 1, program: program(source) });
    const waiting = pool.verify(claims(3));
    await pool.close();
    expect(await waiting).toEqual([false, false, false]);
  });

  it.each([
    [-1, 8, 0, false],
    [0, 1, 0, false],
    [0, 2, 1, false],
    [0, 3, 1, true],
    [0, 8, 6, true],
    [3, 2, 3, true],
  ])('configured as %i on %i processors are %i, for checks: %s', (configured, processors, threads, forChecks) => {
    expect(threadPlan(configured, processors)).toEqual({ threads, forChecks });
  });
});

describe('the native library', () => {
  it('is there, and nothing is said', () => {
    const said: string[] = [];
    expect(warnWithoutNative({ warn: (_, text) => void said.push(text) })).toBe(usesNativeSecp256k1());
    expect(said).toEqual([]);
  });

  it('is missed aloud', () => {
    const said: string[] = [];
    expect(warnWithoutNative({ warn: (_, text) => void said.push(text) }, () => false)).toBe(false);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('libsecp256k1 is not loaded');
  });
});
