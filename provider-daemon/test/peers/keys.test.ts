/** Keys of sections: to holders of a lease of the infrastructure, where `share: all` to all participants, to nobody else. */

import type { Participant } from '../../src/leases/participants.ts';
import { keysFor, missingKeys, permittedKeys } from '../../src/peers/section-keys.ts';
import { eventually } from '../network/support/eventually.ts';
import { makeProvider } from '../overlay/support/providers.ts';
import { MemoryCarried, makeManifest } from './support/manifests.ts';
import { helloFor, stranger } from './support/stranger.ts';
import { around, credentialsOf, type TestPeer, World } from './support/world.ts';

test('by lease, by all, or not at all', () => {
  const manifest = makeManifest(1, 1n, around);
  const carried = new MemoryCarried(manifest).give(manifest, [], ['common', 'web']);
  expect(permittedKeys(carried, [])).toEqual([]);
  expect(permittedKeys(carried, ['db'])).toEqual(['common', 'db']);
  expect(permittedKeys(carried, ['db', 'web'])).toEqual(['common', 'db', 'web']);
  expect(missingKeys(carried, ['db'])).toEqual(['db']);
  expect(missingKeys(carried, ['web'])).toEqual([]);
  expect(keysFor(carried, ['db']).map(({ infrastructure }) => infrastructure)).toEqual(['common']);
  expect(keysFor(carried, [])).toEqual([]);
});

describe('among peers', () => {
  let world: World;
  let holder: TestPeer;
  beforeEach(async () => {
    world = new World(0);
    holder = await world.peer('holder');
    holder.store.give(world.manifest);
  });
  afterEach(() => world.close());

  const keysOf = ({ store }: TestPeer): string[] => [...(store.held.get(1n)?.keys.keys() ?? [])].sort();

  it('a manifest without files is head and keys', async () => {
    const web = await world.peer('web');
    const db = await world.peer('db', { infrastructures: ['db'] });
    world.block();
    await eventually('both have theirs', () => web.taken.size + db.taken.size === 2);
    expect([keysOf(web), keysOf(db)]).toEqual([
      ['common', 'web'],
      ['common', 'db'],
    ]);
    expect(web.taken.get(1n)?.has(holder.provider)).toBe(true);
  });

  it('what the chain says at the moment of the answer counts, not what it said at hello', async () => {
    const other = await makeProvider('mu1other00000000', around);
    world.register(other, 1);
    world.lease(other.provider, { infrastructure: 'db' });
    world.block();
    const one = await stranger(holder.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('hello', () => one.of('hello').length === 1);
    world.participants = world.participants.filter(({ provider }) => provider !== other.provider);
    one.say({ type: 'get-keys' });
    await eventually('an answer', () => one.of('keys').length === 1);
    expect(one.of('keys')[0]?.keys).toEqual([]);
  });

  it('the chain away: none is given out', async () => {
    const other = await makeProvider('mu1other00000000', around);
    world.register(other, 1);
    world.lease(other.provider, { infrastructure: 'db' });
    world.block();
    const one = await stranger(holder.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('hello', () => one.of('hello').length === 1);
    world.isAway = true;
    one.say({ type: 'get-keys' });
    await eventually('an answer', () => one.of('keys').length === 1);
    expect(one.of('keys')[0]?.keys).toEqual([]);
  });

  it('a key that opens nothing drops its sender, and is not kept; the right one comes from another', async () => {
    const [db, liar] = [await world.peer('db', { infrastructures: ['db'] }), await world.peer('liar')];
    liar.store.give(world.manifest).keys.set('db', new Uint8Array(32));
    const { provider } = holder;
    const known = world.providers.get(provider)!;
    world.providers.delete(provider);
    world.block();
    await eventually('the liar is dropped', () => db.exchange.figures().dropped['false-key'] === 1);
    expect(keysOf(db)).toEqual([]);
    world.providers.set(provider, known);
    await eventually('the right keys', () => {
      world.block();
      return db.taken.size === 1;
    });
    expect(db.store.held.get(1n)?.keys.get('db')).toEqual(world.manifest.keys.get('db'));
  });

  type Change = Partial<Participant> | 'none';
  it.each<[string, Change, Change, readonly string[]]>([
    ['a lease of another infrastructure', {}, {}, ['common', 'db']],
    ['one that is out of funds', { standing: 'out_of_funds' }, {}, ['common', 'db']],
    ['one that went out of funds meanwhile', {}, { standing: 'out_of_funds' }, ['common', 'db']],
    ['one that was closed meanwhile, in its grace', {}, { standing: 'closed', closedHeight: 101n }, []],
    ['one that broke meanwhile', {}, { standing: 'broken', closedHeight: 101n }, []],
    ['none any more', {}, 'none', []],
    ['another infrastructure meanwhile', {}, { infrastructure: 'web' }, ['common', 'web']],
    ['one that was closed before, in its grace', { standing: 'closed', closedHeight: 100n }, {}, []],
    ['one that is live beside one that broke', { lease: 77n }, {}, ['common', 'db']],
  ])('what an observer can read of all that comes to it: %s', async (_, before, meanwhile, names) => {
    const other = await makeProvider('mu1other00000000', around);
    world.register(other, 1);
    const own = world.lease(other.provider, { infrastructure: 'db', ...(before === 'none' ? {} : before) });
    if (own.lease === 77n) world.lease(other.provider, { standing: 'broken', closedHeight: 99n });
    world.block();
    const one = await stranger(holder.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('hello', () => one.of('hello').length === 1);
    world.participants = world.participants.flatMap((lease) =>
      lease !== own ? [lease] : meanwhile === 'none' ? [] : [{ ...lease, ...meanwhile }],
    );
    one.say({ type: 'get-head' }, { type: 'pieces', count: 0, have: new Uint8Array() }, { type: 'get-keys' });
    await eventually('an answer', () => one.of('keys').length === 1 || one.isOver);
    const raw = Buffer.concat(one.raw);
    const read = [...world.manifest.keys].filter(([, key]) => raw.includes(Buffer.from(key))).map(([name]) => name);
    expect(read).toEqual(names);
    // Nor do two blocks later.
    world.block();
    world.block();
    await holder.exchange.settled();
    expect(
      Buffer.concat(one.raw).includes(Buffer.from(world.manifest.keys.get(names.includes('web') ? 'db' : 'web')!)),
    ).toBe(false);
  });

  it('a lease that has ended serves the pieces on, and is given nothing', async () => {
    const other = await makeProvider('mu1other00000000', around);
    world.register(other, 1);
    world.lease(other.provider, { standing: 'closed', closedHeight: world.height });
    world.block();
    const one = await stranger(holder.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('hello', () => one.of('hello').length === 1);
    one.say({ type: 'get-keys' });
    await eventually('it is hung up on', () => one.isOver);
    expect([one.of('keys'), one.of('head')]).toEqual([[], []]);
    expect(holder.exchange.figures().dropped).toEqual({ unasked: 1 });
  });
});
