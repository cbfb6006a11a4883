import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { CheckTxType } from 'cosmjs-types/tendermint/abci/types';
import type { MuApp } from '../../src/mu-app.ts';
import { createMuNodeApp, muStoreNames } from '../../src/mu-app.ts';
import { type BatchVerifier, VerifyPool } from '../../src/verify/pool.ts';
import { PreVerifier } from '../../src/verify/pre-verifier.ts';
import { begin, flaws, send, wallets } from './sends.ts';

/** A verifier that answers when it is told to. */
class HeldPool implements BatchVerifier {
  readonly width = 1;
  readonly sizes: number[] = [];
  readonly #held: (() => void)[] = [];

  async verify(claims: readonly unknown[]): Promise<readonly boolean[]> {
    this.sizes.push(claims.length);
    await new Promise<void>((resolve) => this.#held.push(resolve));
    return claims.map(() => true);
  }

  release(): void {
    for (const resolve of this.#held.splice(0)) resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const check = (node: MuApp, tx: Uint8Array): number => node.app.checkTx({ tx, type: CheckTxType.NEW }).code;
const sends = wallets.map(({ number }) => send(number, 0));

describe('signatures verified beforehand', () => {
  it('are found by the application, which computes none', async () => {
    const node = begin();
    const pool = new VerifyPool({ threads: 1 });
    const before = new PreVerifier({ unverified: node.unverified, pool });
    await before.warm(sends);
    expect(before.computed).toBe(sends.length);
    expect(sends.map((tx) => check(node, tx))).toEqual(sends.map(() => 0));
    expect(node.signatures.computed).toBe(0);
    await pool.close();
  });

  it('are shared with this thread when it has nothing else to do', async () => {
    const node = begin();
    const pool = new VerifyPool({ threads: 1 });
    const before = new PreVerifier({ unverified: node.unverified, pool });
    await before.warm(sends, true);
    expect(before.computed).toBe(sends.length);
    expect(node.unverified(sends)).toEqual([]);
    await pool.close();
  });

  it('are asked for once, while they are worked on and afterwards', async () => {
    const node = begin();
    const pool = new HeldPool();
    const before = new PreVerifier({ unverified: node.unverified, pool });
    const [first, second] = [before.warm(sends), before.warm([...sends, send(0, 1)])];
    expect(pool.sizes).toEqual([sends.length, 1]);
    pool.release();
    await Promise.all([first, second]);
    await before.warm(sends);
    expect(pool.sizes).toEqual([sends.length, 1]);
  });

  it('never reject, whatever the bytes are', async () => {
    const node = begin();
    const pool = new VerifyPool({ threads: 1 });
    const before = new PreVerifier({ unverified: node.unverified, pool });
    const bad = [new Uint8Array(), Uint8Array.of(1, 2, 3), ...flaws.slice(1).map((flaw) => send(1, 0, flaw))];
    await expect(before.warm(bad)).resolves.toBeUndefined();
    const codes = bad.map((tx) => check(node, tx));
    expect(codes.every((code) => code !== 0)).toBe(true);
    await pool.close();
  });

  it('are left to the application where there is no chain yet, and where they are too few to be sent away', async () => {
    const empty = createMuNodeApp({ store: new MemoryCommitStore(muStoreNames) });
    const pool = new HeldPool();
    await new PreVerifier({ unverified: empty.unverified, pool }).warm(sends);
    const node = begin();
    await new PreVerifier({ unverified: node.unverified, pool }).warm(sends.slice(0, 3));
    expect(pool.sizes).toEqual([]);
  });

  it('are left to the application when the threads are gone', async () => {
    const node = begin();
    const pool = new VerifyPool({ threads: 1 });
    await pool.close();
    await new PreVerifier({ unverified: node.unverified, pool }).warm(sends);
    expect(check(node, sends[0] as Uint8Array)).toBe(0);
    expect(node.signatures.computed).toBe(1);
  });
});

describe('a high s, another length', () => {
  it.each(['high-s', 'short'] as const)('are refused before anything is computed: %s', (flaw) => {
    const node = begin();
    expect(check(node, send(0, 0, flaw))).toBe(4);
    expect(node.signatures.computed).toBe(0);
    expect(node.unverified([send(0, 0, flaw)])).toEqual([]);
  });
});
