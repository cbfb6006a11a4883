/** Bytes through the metered relays of a lease, with real sockets on 127.0.0.1. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { LeaseRoutes } from '../../src/data-plane/lease-routes.ts';
import { LeaseWays } from '../../src/data-plane/lease-ways.ts';
import type { RelayTarget } from '../../src/data-plane/plane.ts';
import { RelayTally } from '../../src/data-plane/relay-tally.ts';
import { eventually } from '../network/support/eventually.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const portOf = (server: Server): number => (server.address() as { port: number }).port;

async function listening(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** In pieces so small that many of them wait where nobody takes them. */
function trickle(socket: Socket): void {
  const push = (): void => {
    if (socket.destroyed) return;
    if (socket.write(Buffer.alloc(1024))) setImmediate(push);
    else socket.once('drain', push);
  };
  socket.setNoDelay(true);
  push();
}

test('what a client did not take is never billed in place of what another takes', async () => {
  // The first connection is given more than anybody takes, the ones after it ten bytes.
  let connections = 0;
  const server = await listening(
    createServer((socket) => {
      socket.on('error', () => {});
      connections += 1;
      if (connections > 1) socket.end(Buffer.alloc(10));
      else trickle(socket);
      undo.push(() => socket.destroy());
    }),
  );
  undo.push(() => server.close());
  const free = await listening(createServer());
  const listen = { address: '127.0.0.1', port: portOf(free) };
  await new Promise((resolve) => free.close(resolve));

  const tally = new RelayTally();
  const routes = new LeaseRoutes();
  const routeOf = (to: RelayTarget) => routes.of(to.service, portOf(server));
  const ways = new LeaseWays({ upstreams: [] }, routeOf, tally);
  undo.push(() => ways.close());
  const to = { service: 'db', port: portOf(server) };
  await ways.open({ relays: [{ listen, protocol: 'tcp', to, metered: true }], names: [] });
  routes.place([{ service: 'db', instances: [{ address: '127.0.0.1', ready: true }] }]);
  let billed = 0n;
  const take = (): bigint => {
    for (const { quantity } of ways.takeUsage()) if (quantity > 0n) billed += quantity;
    return billed;
  };

  const greedy = connect(listen.port, listen.address).on('error', () => {});
  greedy.pause();
  let [last, since] = [-1n, performance.now()];
  await eventually('its buffers are full', () => {
    if (take() !== last) [last, since] = [take(), performance.now()];
    return last > 0n && performance.now() - since > 300;
  });
  greedy.resetAndDestroy();
  await eventually('it has gone', () => tally.figures().open === 0);
  take();
  for (let round = 0; round < 5; round += 1) {
    const modest = connect(listen.port, listen.address).resume();
    await once(modest, 'close');
    await eventually('it has gone', () => tally.figures().open === 0);
    take();
  }
  const { receivedBytes, sentBytes } = tally.figures();
  const carried = BigInt(receivedBytes + sentBytes);
  // What waited for the first client was counted once; the others have not made it more before they filled it up.
  expect(carried).toBeLessThan(last);
  expect(billed).toBe(last);
});
