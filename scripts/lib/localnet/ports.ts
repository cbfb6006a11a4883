/** Ports of this host that stay ours while their owner is down: chosen once, written into the home. */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/**
 * Below the ports that systems hand out to outgoing connections (32768 on Linux): one of those could be taken by
 * anybody while a node is stopped, and the node could not come back.
 */
const range = { first: 20_000, last: 32_767 } as const;

/** So many ports of 127.0.0.1 that nobody listens on. @throws Error when the range is full */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  const start = randomInt(range.first, range.last);
  try {
    for (let step = 0; ports.length < count; step += 1) {
      if (step > range.last - range.first)
        throw new Error(`no ${count} free ports between ${range.first} and ${range.last}`);
      const port = range.first + ((start - range.first + step) % (range.last - range.first + 1));
      const server = await listen(port);
      if (server === undefined) continue;
      // Held until all are found, so that two searches at once do not find the same.
      held.push(server);
      ports.push(port);
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
  return ports;
}

function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1' }, () => resolve(server));
  });
}
