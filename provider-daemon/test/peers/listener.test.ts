/** The listener of peers, when the system has nothing left for a connection. */
import { Server } from 'node:tls';
import { jest } from '@jest/globals';
import { eventually } from '../network/support/eventually.ts';
import { makeProvider } from '../overlay/support/providers.ts';
import { helloFor, stranger } from './support/stranger.ts';
import { around, credentialsOf, World } from './support/world.ts';

test('a connection that the system cannot give is told to the operator, and later ones are taken', async () => {
  const listen = jest.spyOn(Server.prototype, 'listen');
  const world = new World(1);
  try {
    const holder = await world.peer('holder');
    const [server] = listen.mock.contexts as Server[];
    holder.store.give(world.manifest);
    const other = await makeProvider('mu1other00000000', around);
    world.register(other, 1);
    world.lease(other.provider);
    world.block();
    await holder.exchange.settled();
    for (let times = 0; times < 2; times += 1) server?.emit('error', new Error('accept EMFILE'));
    expect(holder.log).toEqual(Array(2).fill('a peer’s connection cannot be taken'));
    const one = await stranger(holder.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('hello', () => one.of('hello').length === 1);
  } finally {
    listen.mockRestore();
    await world.close();
  }
});
