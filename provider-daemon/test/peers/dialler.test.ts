/** Whom a peer dials again, and when. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { realTimers } from '../../src/overlay/timers.ts';
import { eventually } from '../network/support/eventually.ts';
import { makeProvider, type TestProvider } from '../overlay/support/providers.ts';
import { around, type TestPeer, World } from './support/world.ts';

let world: World;
let taker: TestPeer;
let other: TestProvider;
let server: Server;
/** How often `other` was dialled; it hangs up at once. */
let dialled = 0;

beforeEach(async () => {
  world = new World(3);
  dialled = 0;
  server = createServer((socket) => {
    dialled += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  other = await makeProvider('mu1other00000000', around);
  world.register(other, (server.address() as AddressInfo).port);
  // Its clock stands still: no back-off is ever over.
  const nowMs = Date.now();
  taker = await world.peer('taker', { change: { timers: { ...realTimers, now: () => nowMs } } });
});
afterEach(async () => {
  await world.close();
  server.close();
});

const told = (): number => taker.log.filter((line) => line.startsWith(`no manifest from ${other.provider} now`)).length;
/** A block of which the taker has seen what it says of whom to dial. */
async function block(): Promise<void> {
  world.block();
  await taker.exchange.settled();
}

test('what is known of a peer’s failures goes with it: one that comes back is dialled at once, and told of anew', async () => {
  world.lease(other.provider);
  await block();
  await eventually('the first attempt', () => told() === 1);
  world.participants = world.participants.filter(({ provider }) => provider !== other.provider);
  for (let blocks = 0; blocks < 2; blocks += 1) await block();
  expect(dialled).toBe(1);
  world.lease(other.provider);
  await eventually('the second attempt', async () => {
    await block();
    return told() === 2;
  });
  expect(dialled).toBe(2);
});
