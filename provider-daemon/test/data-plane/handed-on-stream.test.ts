import { once } from 'node:events';
import { connect } from 'node:net';
import { Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { HandedOnStream, maxKeptBytes } from '../../src/data-plane/handed-on-stream.ts';
import { resetCodes } from '../../src/overlay/frames.ts';
import { eventually } from '../network/support/eventually.ts';
import { instance, undoAll } from '../overlay/support/sessions.ts';

afterEach(undoAll);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Way {
  /** As the route opens it. */
  readonly near: Duplex;
  /** The other side's. */
  readonly far: Duplex;
  reset(code?: number): Promise<void>;
}

function way(): Way {
  const [near, far] = duplexPair({ allowHalfOpen: true });
  const reset = async (code: number = resetCodes.refused): Promise<void> => {
    near.destroy(Object.assign(new Error(`reset ${code}`), { resetCode: code }));
    await turn();
  };
  far.on('error', () => {});
  return { near, far, reset };
}

/** Over these ways, one after the other. */
function over(...ways: readonly Way[]) {
  const left = ways.map(({ near }) => near);
  const signals: AbortSignal[] = [];
  const stream = new HandedOnStream(left.shift()!, async (signal) => {
    signals.push(signal);
    const next = left.shift();
    if (next === undefined) throw new Error('there is no other');
    return next;
  });
  stream.on('error', () => {});
  return { stream, signals };
}

test.each(['refused', 'busy'] as const)(
  'what was written goes to the next way when one says %s, and all that follows',
  async (word) => {
    const [first, second] = [way(), way()];
    const { stream } = over(first, second);
    first.far.resume();
    stream.write('a ');
    stream.write('question, ');
    await turn();
    await first.reset(resetCodes[word]);
    stream.end('and its end');
    expect(await text(second.far)).toBe('a question, and its end');
    second.far.end('an answer');
    expect(await text(stream)).toBe('an answer');
    await turn();
    expect([stream.closed, stream.errored, second.near.closed]).toEqual([true, null, true]);
  },
);

test('so does an end that was passed on before, and a third way is taken where the second refuses as well', async () => {
  const [first, second, third] = [way(), way(), way()];
  const { stream } = over(first, second, third);
  stream.end('a question');
  expect(await text(first.far)).toBe('a question');
  expect(stream.writableFinished).toBe(true);
  await first.reset();
  expect(await text(second.far)).toBe('a question');
  await second.reset();
  expect(await text(third.far)).toBe('a question');
  third.far.end('an answer');
  expect(await text(stream)).toBe('an answer');
});

test('a write that waits is not lost, and comes once and in its order', async () => {
  const [first, second] = [way(), way()];
  const { stream } = over(first, second);
  const large = 'x'.repeat(100_000);
  // Nobody reads at the first one: the second write waits, and the third behind it.
  const taken: string[] = [];
  for (const piece of ['begin ', large, ' end']) stream.write(piece, () => taken.push(piece));
  stream.end();
  first.far.once('data', () => first.far.pause());
  await once(first.far, 'data');
  await turn();
  expect(taken).toEqual(['begin ']);
  await first.reset();
  expect(await text(second.far)).toBe(`begin ${large} end`);
  expect(taken).toEqual(['begin ', large, ' end']);
});

test('a way that says after its refusal that it took a write is not heard', async () => {
  const second = way();
  let took = (): void => {};
  const near = new Duplex({
    read: () => {},
    write: (_chunk, _encoding, done) => {
      took = done;
    },
  });
  const stream = new HandedOnStream(near, async () => second.near);
  stream.end('a question');
  near.destroy(Object.assign(new Error('refused'), { resetCode: resetCodes.refused }));
  const asked = text(second.far);
  await turn();
  took();
  expect(await asked).toBe('a question');
  expect(stream.errored).toBe(null);
});

test('what is written while the next one is opened waits for it', async () => {
  const [first, second] = [way(), way()];
  const opened = Promise.withResolvers<Duplex>();
  const stream = new HandedOnStream(first.near, () => opened.promise);
  await first.reset();
  let taken = false;
  stream.write('early', () => {
    taken = true;
  });
  await turn();
  expect(taken).toBe(false);
  opened.resolve(second.near);
  stream.end();
  expect(await text(second.far)).toBe('early');
  expect(taken).toBe(true);
});

test('where no other way takes it, the caller is told of the refusal', async () => {
  const only = way();
  const { stream } = over(only);
  await only.reset();
  expect(stream.errored).toMatchObject({ resetCode: resetCodes.refused });
});

test.each(['closed', 'timeout', 'broken'] as const)('a stream that ends as %s is not handed on', async (word) => {
  const [first, second] = [way(), way()];
  const { stream, signals } = over(first, second);
  await first.reset(resetCodes[word]);
  expect(stream.errored).toMatchObject({ resetCode: resetCodes[word] });
  expect(signals).toEqual([]);
});

test('nor is one of which something has come back, were it the end alone', async () => {
  for (const answer of ['a byte', '']) {
    const [first, second] = [way(), way()];
    const { stream, signals } = over(first, second);
    if (answer === '') first.far.end();
    else first.far.write(answer);
    stream.resume();
    await once(stream, answer === '' ? 'end' : 'data');
    await first.reset();
    expect(stream.errored).toMatchObject({ resetCode: resetCodes.refused });
    expect(signals).toEqual([]);
  }
});

test('as much as is stated is kept, and not a byte more', async () => {
  for (const more of [0, 1]) {
    const [first, second] = [way(), way()];
    const { stream, signals } = over(first, second);
    first.far.resume();
    const sent = `${'x'.repeat(maxKeptBytes - 1)}y${'z'.repeat(more)}`;
    for (const at of [0, 1, 2, 3]) stream.write(sent.slice(at * 5000, at === 3 ? undefined : (at + 1) * 5000));
    stream.end();
    await once(first.far, 'end');
    await first.reset();
    expect(signals).toHaveLength(1 - more);
    if (more === 0) expect(await text(second.far)).toBe(sent);
    else expect(stream.errored).toMatchObject({ resetCode: resetCodes.refused });
  }
});

test('who gives up while the next one is opened leaves nothing open', async () => {
  const [first, second] = [way(), way()];
  const opened = Promise.withResolvers<Duplex>();
  let signal: AbortSignal | undefined;
  const stream = new HandedOnStream(first.near, (given) => {
    signal = given;
    return opened.promise;
  });
  await first.reset();
  expect(signal?.aborted).toBe(false);
  stream.destroy();
  expect(signal?.aborted).toBe(true);
  opened.resolve(second.near);
  await turn();
  expect(second.near.destroyed).toBe(true);
});

test('who gives up later resets the way, and a way that breaks without a word breaks the stream', async () => {
  const [first, second] = [way(), way()];
  const { stream } = over(first);
  stream.destroy();
  expect(first.near.destroyed).toBe(true);
  const { stream: other } = over(second);
  second.near.destroy();
  await turn();
  expect([other.destroyed, other.readableEnded]).toEqual([true, false]);
});

test('each direction holds back by itself', async () => {
  const one = way();
  const { stream } = over(one);
  let [up, down] = [0, 0];
  const chunk = Buffer.alloc(65_536);
  // 64 chunks each way, as far as they go while nobody reads.
  for (let sent = 0; sent < 64; sent += 1) {
    stream.write(chunk, () => {
      up += 1;
    });
    one.far.write(chunk, () => {
      down += 1;
    });
  }
  for (let turns = 0; turns < 100; turns += 1) await turn();
  expect(Math.max(up, down)).toBeLessThan(4);
  let [heard, said] = [0, 0];
  stream.on('data', (bytes: Buffer) => {
    heard += bytes.length;
  });
  one.far.on('data', (bytes: Buffer) => {
    said += bytes.length;
  });
  stream.end();
  one.far.end();
  await Promise.all([once(stream, 'close'), once(one.far, 'end')]);
  expect([heard, said]).toEqual([64 * chunk.length, 64 * chunk.length]);
});

test('a neighbour’s socket is closed when all has passed, and reset where the caller gives up', async () => {
  const heard: string[] = [];
  const port = await instance((socket) => {
    socket.on('error', ({ message }) => heard.push(message));
    void text(socket).then(
      (all) => heard.push(`${all.length} bytes`),
      () => {},
    );
    socket.end('an answer');
  });
  const open = () => connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const none = (): Promise<Duplex> => Promise.reject(new Error('there is no other'));
  const whole = new HandedOnStream(open(), none);
  whole.end('x'.repeat(3_000_000));
  expect(await text(whole)).toBe('an answer');
  await eventually('all of it', () => heard.length === 1);
  const half = new HandedOnStream(open(), none);
  half.write('begun');
  half.resume();
  await once(half, 'end');
  half.destroy();
  await eventually('the reset', () => heard.length === 2);
  expect(heard).toEqual(['3000000 bytes', 'read ECONNRESET']);
});
