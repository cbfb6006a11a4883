import { once } from 'node:events';
import { type Duplex, PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { FarRoute, type FarTunnel, type FarWays } from '../../src/data-plane/far-route.ts';
import { WayHealth, wayHealthLimits } from '../../src/data-plane/way-health.ts';
import { resetCodes } from '../../src/overlay/frames.ts';
import { ManualTimers } from '../overlay/support/manual-timers.ts';

const never = new AbortController().signal;
const far = { message: () => {}, closed: () => {} };
const { firstMs } = wayHealthLimits;

interface Way extends FarTunnel {
  isUp: boolean;
  takes: boolean;
  readonly opened: PassThrough[];
  /** Flows of datagrams, as the far side sees them. */
  readonly flows: (typeof far)[];
  /** Comes up, or not any more. */
  readonly comes: PromiseWithResolvers<void>;
  waiting: number;
}

function way(isUp: boolean, takes = true): Way {
  const made: Way = {
    ...{ isUp, takes, opened: [], flows: [], comes: Promise.withResolvers<void>(), waiting: 0 },
    open: async () => {
      if (!made.takes) throw new Error('it takes nothing');
      made.opened.push(new PassThrough());
      return made.opened.at(-1)!;
    },
    openDatagrams: (flow) => {
      if (!made.takes || !made.isUp) return undefined;
      made.flows.push(flow as typeof far);
      return { send: () => {}, close: () => {} };
    },
    whenUp: (signal) => {
      made.waiting += 1;
      signal.addEventListener('abort', () => {
        made.waiting -= 1;
      });
      return made.comes.promise;
    },
  };
  return made;
}

function over(ways: FarWays) {
  const timers = new ManualTimers();
  const health = new WayHealth(timers.now);
  /** As relays do: a route for each connection. */
  const route = (): FarRoute => new FarRoute(() => ways, health);
  const open = async (signal = never): Promise<Duplex> => (await route().open(signal)).on('error', () => {});
  return { timers, open, flow: () => route().openDatagrams(far) };
}

const opened = (ways: readonly Way[]): number[] => ways.map((one) => one.opened.length);
/** The far side resets the latest one; what comes of that has come. */
async function reset(one: Way, code: number): Promise<void> {
  const stream = one.opened.at(-1)!;
  stream.on('error', () => {});
  stream.destroy(Object.assign(new Error('reset'), { resetCode: code }));
  await new Promise((resolve) => setImmediate(resolve));
}

test('neighbours come first, then the tunnels that are up in their order, and the next one where one fails', async () => {
  const [near, full, second, third] = [way(true), way(true, false), way(true), way(true)];
  const ways = { neighbours: [near], tunnels: [full, second, third] };
  const { open } = over(ways);
  await open();
  expect(near.opened).toHaveLength(1);
  ways.neighbours = [];
  await open();
  expect(opened([second, third])).toEqual([1, 0]);
  second.isUp = false;
  await open();
  expect(opened([second, third])).toEqual([1, 1]);
});

test('where none is up, the first one that comes up is taken, and nobody waits for the others any more', async () => {
  const [first, second] = [way(false), way(false)];
  const stream = over({ neighbours: [], tunnels: [first, second] }).open();
  expect([first.waiting, second.waiting]).toEqual([1, 1]);
  second.comes.resolve();
  (await stream).end('over the second');
  expect(await text(await stream)).toBe('over the second');
  expect(second.opened).toHaveLength(1);
  expect([first.opened.length, first.waiting]).toEqual([0, 0]);
});

test('where no link leads there, or none comes up in time, the connection fails', async () => {
  const ways = { neighbours: [] as Way[], tunnels: [] as Way[] };
  const { open } = over(ways);
  await expect(open()).rejects.toThrow('no link leads there');
  ways.neighbours = [way(true, false)];
  await expect(open()).rejects.toThrow('no link takes the connection');
  const late = way(false);
  ways.tunnels = [late];
  late.comes.reject(new Error('the tunnel is down for 5000 ms'));
  await expect(open()).rejects.toThrow('the tunnel is down for 5000 ms');
  await expect(open(AbortSignal.abort())).rejects.toThrow('no link takes the connection');
});

test('datagrams go by the first link that takes them now', () => {
  const [down, second] = [way(false), way(true)];
  const { flow } = over({ neighbours: [], tunnels: [down, second] });
  expect(flow()).toBeDefined();
  second.isUp = false;
  expect(flow()).toBeUndefined();
});

test.each(['refused', 'busy'] as const)(
  'a tunnel that has reset a stream as %s is tried last for a while',
  async (word) => {
    const [first, second] = [way(true), way(true)];
    const { open, timers } = over({ neighbours: [], tunnels: [first, second] });
    await open();
    await reset(first, resetCodes[word]);
    // It was handed on.
    expect(opened([first, second])).toEqual([1, 1]);
    timers.advance(firstMs - 1);
    await open();
    expect(opened([first, second])).toEqual([1, 2]);
    timers.advance(1);
    await open();
    expect(opened([first, second])).toEqual([2, 2]);
  },
);

test.each(['closed', 'timeout', 'broken'] as const)(
  'a stream that ends as %s says nothing of the next',
  async (word) => {
    const [first, second] = [way(true), way(true)];
    const { open } = over({ neighbours: [], tunnels: [first, second] });
    await open();
    await reset(first, resetCodes[word]);
    await open();
    expect(opened([first, second])).toEqual([2, 0]);
  },
);

test('where all have refused they are tried as ever, and the first byte back forgives one', async () => {
  const [first, second] = [way(true), way(true)];
  const { open } = over({ neighbours: [], tunnels: [first, second] });
  const refused = await open();
  for (const one of [first, second]) await reset(one, resetCodes.refused);
  expect([opened([first, second]), refused.errored]).toMatchObject([[1, 1], { resetCode: resetCodes.refused }]);
  await open();
  expect(opened([first, second])).toEqual([2, 1]);
  first.isUp = false;
  const stream = await open();
  first.isUp = true;
  await open();
  expect(opened([first, second])).toEqual([3, 2]);
  second.opened.at(-1)!.write('a byte');
  const [bytes] = await once(stream, 'data');
  expect(String(bytes)).toBe('a byte');
  await open();
  expect(opened([first, second])).toEqual([3, 3]);
});

test('a neighbour whose instances take nothing is tried after the tunnels, one that somebody gave up is not', async () => {
  const [near, tunnel] = [way(true, false), way(true)];
  const { open, timers } = over({ neighbours: [near], tunnels: [tunnel] });
  const givenUp = new AbortController();
  const { open: take } = near;
  near.open = async (signal) => {
    givenUp.abort();
    return take(signal);
  };
  await expect(open(givenUp.signal)).rejects.toThrow('no link takes the connection');
  near.open = take;
  near.takes = true;
  await open();
  expect(opened([near, tunnel])).toEqual([1, 0]);
  near.takes = false;
  await open();
  near.takes = true;
  await open();
  expect(opened([near, tunnel])).toEqual([1, 2]);
  timers.advance(firstMs);
  await open();
  expect(opened([near, tunnel])).toEqual([2, 2]);
});

test('one that was waited for, and refuses then, is tried last as well', async () => {
  const [first, second] = [way(false), way(false)];
  const { open } = over({ neighbours: [], tunnels: [first, second] });
  first.comes.resolve();
  await open();
  await reset(first, resetCodes.refused);
  for (const one of [first, second]) one.isUp = true;
  await open();
  expect(opened([first, second])).toEqual([1, 1]);
});

test('flows of datagrams that end before anything has come back are refused; not those that end with their tunnel', () => {
  const [first, second] = [way(true), way(true)];
  const { flow } = over({ neighbours: [], tunnels: [first, second] });
  flow();
  first.isUp = false;
  first.flows[0]!.closed();
  first.isUp = true;
  flow();
  first.flows[1]!.message();
  first.flows[1]!.closed();
  flow();
  first.flows[2]!.closed();
  flow();
  expect([first.flows.length, second.flows.length]).toEqual([3, 1]);
  second.flows[0]!.closed();
  flow();
  first.flows[3]!.message();
  flow();
  expect([first.flows.length, second.flows.length]).toEqual([5, 1]);
});

test('one way alone is used as it is, and forgets with the first byte that somebody reads', async () => {
  const [first, second] = [way(true), way(true)];
  const ways = { neighbours: [], tunnels: [first] };
  const { open } = over(ways);
  expect(await open()).toBe(first.opened[0]);
  await reset(first, resetCodes.refused);
  const stream = await open();
  ways.tunnels = [first, second];
  first.opened[1]!.write('a byte');
  expect(stream.readableFlowing).toBe(null);
  await open();
  expect(opened([first, second])).toEqual([2, 1]);
  await once(stream, 'data');
  await open();
  expect(opened([first, second])).toEqual([3, 1]);
});
