import { fromHex } from '@mu/lib/bytes';
import { buildProgram, findGo, goHint } from '../go-program.ts';
import { DifferentialRun } from '../run.ts';
import { LmdbSubject, type Subject, TreeSubject } from '../subjects.ts';
import { type Operation, Random, Traffic } from '../traffic.ts';

const go = findGo();
const building = 300_000;
if (go === undefined) {
  process.stderr.write(
    `\n*** The state was NOT COMPARED with cosmos/iavl: no Go was found. To compare, ${goHint}. ***\n\n`,
  );
}
// Where Go is missing its absence has been said; the vectors, which need no Go, hold the tree all the same.
const withGo = go === undefined ? [] : [go];

/** A tree that changes one operation of a later version. */
class WrongSubject extends TreeSubject {
  readonly #change: (operations: readonly Operation[]) => readonly Operation[];

  constructor(change: (operations: readonly Operation[]) => readonly Operation[]) {
    super();
    this.#change = change;
  }

  override apply(operations: readonly Operation[], inOrder: boolean): number | undefined {
    return super.apply(this.last > 5 ? this.#change(operations) : operations, inOrder);
  }
}

describe.each(withGo)('beside cosmos/iavl, by %s', (path) => {
  let program: string;
  beforeAll(async () => {
    program = await buildProgram(path);
  }, building);

  const subjects: [string, () => Subject][] = [
    ['the tree', () => new TreeSubject()],
    ['the state over LMDB', () => new LmdbSubject(5)],
  ];
  test.each(subjects)(
    '%s has the same roots, nodes, values and proofs over 20,000 operations',
    async (_name, create) => {
      const subject = create();
      const done = await new DifferentialRun(subject, { ops: 20_000, seed: 16, program, keep: 5 })
        .run()
        .finally(() => subject.close());
      expect(done.ops).toBeGreaterThanOrEqual(20_000);
      // The run met what it is for.
      for (const count of [done.reloads, done.prunings, done.rollbacks, done.discarded])
        expect(count).toBeGreaterThan(0);
      expect(done.proofs).toBeGreaterThan(10);
      expect(done.shapes).toBeGreaterThan(1);
    },
    120_000,
  );

  test.each<[string, (operations: readonly Operation[]) => readonly Operation[]]>([
    ['a value is another', ([first, ...rest]) => (first ? [{ ...first, value: fromHex('ff') }, ...rest] : [])],
    ['an operation is missing', (operations) => operations.filter(({ value }) => value === undefined)],
  ])('a difference is found: %s', async (_name, change) => {
    const subject = new WrongSubject(change);
    const run = new DifferentialRun(subject, { ops: 20_000, seed: 3, program });
    await expect(run.run()).rejects.toThrow(/^seed 3, after \d+ operations and \d+ versions, version \d+: root: /);
  });
});

describe('the operations', () => {
  const some = (seed: number): readonly Operation[][] => {
    const traffic = new Traffic(seed, new Map([['00', fromHex('01')]]), 100);
    return Array.from({ length: 30 }, () => traffic.version(100));
  };

  test('come from the seed alone', () => {
    expect(some(1)).toEqual(some(1));
    expect(some(1)).not.toEqual(some(2));
  });

  test('set and remove, no more than is wanted, with keys of at least a byte', () => {
    const all = some(1).flat();
    expect(all.filter(({ value }) => value === undefined).length).toBeGreaterThan(100);
    expect(all.filter(({ value }) => value !== undefined).length).toBeGreaterThan(100);
    expect(some(1).every((version) => version.length <= 100)).toBe(true);
    expect(all.every(({ key }) => /^([0-9a-f]{2})+$/.test(key))).toBe(true);
  });

  test('are as likely as they say', () => {
    const random = new Random(1);
    const hits = Array.from({ length: 10_000 }, () => random.next(10)).filter((drawn) => drawn === 3).length;
    expect(hits).toBeGreaterThan(900);
    expect(hits).toBeLessThan(1100);
  });
});
