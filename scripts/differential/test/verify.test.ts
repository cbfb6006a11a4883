import type { Change } from '@mu/framework/store/kv-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { compareBytes, toBase64, toHex, utf8 } from '@mu/lib/bytes';
import { buildProgram, findGo, GoProgram, goHint } from '../go-program.ts';
import { Random } from '../traffic.ts';

const go = findGo();
if (go === undefined) {
  process.stderr.write(
    `\n*** Proofs were NOT CHECKED by ics23 in Go: no Go was found. To check them, ${goHint}. ***\n\n`,
  );
}
const withGo = go === undefined ? [] : [go];

interface Question {
  readonly root: string;
  readonly store: string;
  readonly key: string;
  readonly value: string | null;
  readonly ops: readonly { readonly type: string; readonly key: string; readonly data: string }[];
}

const stores = ['acc', 'bank', 'market', 'staking', 'upgrade'];
const heights = 8;

/** A chain whose last store stays empty. @returns it and the app hash of each height */
function chain(random: Random): { readonly store: MemoryCommitStore; readonly appHashes: readonly string[] } {
  const store = new MemoryCommitStore(stores);
  const appHashes = [''];
  for (let height = 1; height <= heights; height += 1) {
    const changes: Change[] = stores.slice(0, -1).flatMap((name) => {
      const keys = new Map<string, Uint8Array | undefined>();
      for (let count = 0; count < 25; count += 1) {
        keys.set(`${name}/${random.next(60)}`, random.once(4) ? undefined : random.bytes(1 + random.next(40)));
      }
      return [...keys]
        .map(([key, value]) => ({ store: name, key: utf8(key), value }))
        .sort((a, b) => compareBytes(a.key, b.key));
    });
    appHashes.push(toHex(store.commit(BigInt(height), changes).appHash));
  }
  return { store, appHashes };
}

/** What abci_query answers for keys that are there and keys that are not, at heights that can be proved. */
function questions(): Question[] {
  const random = new Random(5);
  const { store, appHashes } = chain(random);
  return Array.from({ length: 240 }, () => {
    const height = 2 + random.next(heights - 1);
    const name = stores[random.next(stores.length - 1)] as string;
    const key = utf8([`${name}/${random.next(60)}`, 'a', '~', `${name}/1/`][random.next(4)] as string);
    const { value, proof } = store.read(name, key, BigInt(height), true);
    const ops = proof?.ops.map((op) => ({ type: op.type, key: toBase64(op.key), data: toBase64(op.data) })) ?? [];
    return {
      root: appHashes[height] as string,
      store: name,
      key: toHex(key),
      value: value === undefined ? null : toHex(value),
      ops,
    };
  });
}

const flipped = (hex: string): string => `${hex[0] === '0' ? '1' : '0'}${hex.slice(1)}`;

describe.each(withGo)('as ics23/go judges them, by %s', (path) => {
  let program: GoProgram;
  const all = questions();
  const ask = async (question: Question): Promise<boolean> =>
    ((await program.ask(JSON.stringify(question))) as { readonly ok: boolean }).ok;

  beforeAll(async () => {
    program = new GoProgram(await buildProgram(path), ['verify']);
  }, 300_000);
  afterAll(() => program.close());

  test('proofs of values and of absence lead to the app hash', async () => {
    for (const question of all) {
      const answer = await program.ask(JSON.stringify(question));
      expect({ question, answer }).toEqual({ question, answer: { ok: true } });
    }
    expect(all.filter(({ value }) => value === null).length).toBeGreaterThan(30);
    expect(all.filter(({ value }) => value !== null).length).toBeGreaterThan(15);
  });

  test.each<[string, (question: Question) => Question]>([
    ['app hash', (question) => ({ ...question, root: flipped(question.root) })],
    ['value', (question) => ({ ...question, value: question.value === null ? '01' : flipped(question.value) })],
    ['absence', (question) => ({ ...question, value: question.value === null ? '' : null })],
    ['store', (question) => ({ ...question, store: `${question.store}x` })],
    ['key', (question) => ({ ...question, key: flipped(question.key) })],
    ['order of the operations', (question) => ({ ...question, ops: [...question.ops].reverse() })],
  ])('a proof with another %s is refused', async (_name, change) => {
    for (const question of all) expect(await ask(change(question))).toBe(false);
  });

  test('nothing is proved of an empty store', async () => {
    const { store, appHashes } = chain(new Random(5));
    const { proof, value } = store.read('upgrade', utf8('key'), BigInt(heights), true);
    const ops = proof?.ops.map((op) => ({ type: op.type, key: toBase64(op.key), data: toBase64(op.data) })) ?? [];
    expect(value).toBeUndefined();
    const question = {
      root: appHashes[heights] as string,
      store: 'upgrade',
      key: toHex(utf8('key')),
      value: null,
      ops,
    };
    expect(await ask(question)).toBe(false);
  });
});
