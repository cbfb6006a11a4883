import { expect, test } from '@jest/globals';
import { ProviderConnectionError, ProviderRefusal } from '@mu/client/provider/errors';
import { type Following, followed, merged } from '../src/following.ts';

interface Line {
  readonly seq: number;
}

/** A provider that answers one stream after another: lines, then how it ends. */
function provider(streams: readonly (readonly (number | Error)[])[], change: Partial<Following<Line>> = {}) {
  const asked: (number | undefined)[] = [];
  const troubles: string[] = [];
  const of: Following<Line> = {
    async *open(after) {
      const stream = streams[asked.length] ?? [];
      asked.push(after);
      for (const one of stream) {
        if (one instanceof Error) throw one;
        yield { seq: one };
      }
    },
    follow: true,
    isLive: async () => asked.length < streams.length,
    onTrouble: (reason) => troubles.push(reason),
    pause: async () => undefined,
    ...change,
  };
  return { of, asked, troubles };
}

async function numbers(of: Following<Line>): Promise<number[]> {
  const found: number[] = [];
  for await (const { seq } of followed(of)) found.push(seq);
  return found;
}

const gone = new ProviderConnectionError('the connection went');

test('a stream goes on where it broke off, over any number of breaks, and each is told once', async () => {
  const { of, asked, troubles } = provider([[1, 2, gone], [gone], [3], [], [4]]);
  expect(await numbers(of)).toEqual([1, 2, 3, 4]);
  expect(asked).toEqual([undefined, 2, 2, 3, 3]);
  expect(troubles).toEqual(['the connection went']);
});

test('a break before the first line begins anew, as it was asked', async () => {
  const { of, asked } = provider([[gone], [5]]);
  expect(await numbers(of)).toEqual([5]);
  expect(asked).toEqual([undefined, undefined]);
});

test('what is not followed ends with its stream, and fails with it', async () => {
  expect(await numbers(provider([[1], [2]], { follow: false }).of)).toEqual([1]);
  await expect(numbers(provider([[1, gone], [2]], { follow: false }).of)).rejects.toBe(gone);
});

test('a lease that is over is followed no more; a chain that cannot be asked ends nothing', async () => {
  expect(await numbers(provider([[1, gone], [2]], { isLive: async () => false }).of)).toEqual([1]);
  let calls = 0;
  const isLive = () => {
    calls += 1;
    return calls < 3 ? Promise.reject(new Error('away')) : Promise.resolve(false);
  };
  expect(await numbers(provider([[1, gone], [gone], [2]], { isLive }).of)).toEqual([1, 2]);
});

test('a refusal that stays ends it, one that passes does not', async () => {
  const busy = new ProviderRefusal(429, 'busy', 'too many readers', '');
  expect(await numbers(provider([[1, busy], [2]]).of)).toEqual([1, 2]);
  const scope = new ProviderRefusal(403, 'scope', 'not for you', '');
  await expect(numbers(provider([[1, scope], [2]]).of)).rejects.toBe(scope);
});

test('several streams come as one, and all end', async () => {
  async function* of(...values: number[]): AsyncGenerator<number> {
    yield* values;
  }
  const found: number[] = [];
  for await (const value of merged([of(1, 2), of(), of(3)])) found.push(value);
  expect(found.sort((a, b) => a - b)).toEqual([1, 2, 3]);
});

test('what one of several streams meets after the reader has gone ends nothing', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  const late = Promise.withResolvers<number>();
  async function* waits(): AsyncGenerator<number> {
    yield await late.promise;
  }
  async function* gives(): AsyncGenerator<number> {
    yield 1;
  }
  for await (const value of merged([waits(), gives()])) {
    expect(value).toBe(1);
    break;
  }
  late.reject(new Error('the provider went'));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});
