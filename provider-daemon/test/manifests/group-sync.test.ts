import { expect, test } from '@jest/globals';
import { GroupSync } from '../../src/manifests/group-sync.ts';

test('a sync serves all that was written before it began, and nothing that was written after', async () => {
  const syncs: PromiseWithResolvers<void>[] = [];
  const group = new GroupSync(() => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  });
  const ended: string[] = [];
  const wait = (name: string): Promise<void> =>
    group.done().then(
      () => void ended.push(name),
      () => void ended.push(`${name} failed`),
    );
  const waits = [wait('a'), wait('b'), wait('c')];
  expect(syncs).toHaveLength(1);
  syncs[0]?.resolve();
  await waits[0];
  expect([ended, syncs.length]).toEqual([['a'], 2]);
  waits.push(wait('d'));
  syncs[1]?.reject(new Error('the disk is full'));
  await Promise.all(waits.slice(0, 3));
  expect([ended, syncs.length]).toEqual([['a', 'b failed', 'c failed'], 3]);
  syncs[2]?.resolve();
  await Promise.all(waits);
  const last = wait('e');
  expect([ended.at(-1), syncs.length]).toEqual(['d', 4]);
  syncs[3]?.resolve();
  await last;
});
