import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { FarRoute, type FarTunnel } from '../../src/data-plane/far-route.ts';

const never = new AbortController().signal;
const far = { message: () => {}, closed: () => {} };

interface Way extends FarTunnel {
  isUp: boolean;
  readonly opened: PassThrough[];
  /** Comes up, or not any more. */
  readonly comes: PromiseWithResolvers<void>;
  waiting: number;
}

function way(isUp: boolean, takes = true): Way {
  const made: Way = {
    ...{ isUp, opened: [], comes: Promise.withResolvers<void>(), waiting: 0 },
    open: async () => {
      if (!takes) throw new Error('it takes nothing');
      made.opened.push(new PassThrough());
      return made.opened.at(-1)!;
    },
    openDatagrams: () => (takes && made.isUp ? { send: () => {}, close: () => {} } : undefined),
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

test('neighbours come first, then the tunnels that are up in their order, and the next one where one fails', async () => {
  const [near, full, second, third] = [way(true), way(true, false), way(true), way(true)];
  const ways = { neighbours: [near], tunnels: [full, second, third] };
  const route = new FarRoute(() => ways);
  await route.open(never);
  expect(near.opened).toHaveLength(1);
  ways.neighbours = [];
  await route.open(never);
  expect([second.opened.length, third.opened.length]).toEqual([1, 0]);
  second.isUp = false;
  await route.open(never);
  expect([second.opened.length, third.opened.length]).toEqual([1, 1]);
});

test('where none is up, the first one that comes up is taken, and nobody waits for the others any more', async () => {
  const [first, second] = [way(false), way(false)];
  const route = new FarRoute(() => ({ neighbours: [], tunnels: [first, second] }));
  const opened = route.open(never);
  expect([first.waiting, second.waiting]).toEqual([1, 1]);
  second.comes.resolve();
  expect(await opened).toBe(second.opened[0]);
  expect([first.opened.length, first.waiting]).toEqual([0, 0]);
});

test('where no link leads there, or none comes up in time, the connection fails', async () => {
  const ways = { neighbours: [] as Way[], tunnels: [] as Way[] };
  const route = new FarRoute(() => ways);
  await expect(route.open(never)).rejects.toThrow('no link leads there');
  ways.neighbours = [way(true, false)];
  await expect(route.open(never)).rejects.toThrow('no link takes the connection');
  const late = way(false);
  ways.tunnels = [late];
  late.comes.reject(new Error('the tunnel is down for 5000 ms'));
  await expect(route.open(never)).rejects.toThrow('the tunnel is down for 5000 ms');
  await expect(route.open(AbortSignal.abort())).rejects.toThrow('no link takes the connection');
});

test('datagrams go by the first link that takes them now', () => {
  const [down, second] = [way(false), way(true)];
  const ways = { neighbours: [] as Way[], tunnels: [down, second] };
  const route = new FarRoute(() => ways);
  expect(route.openDatagrams(far)).toBeDefined();
  second.isUp = false;
  expect(route.openDatagrams(far)).toBeUndefined();
});
