import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { freePorts } from '../ports.ts';

test('ports are different ones, below the outgoing ports, and free, also for two who search at once', async () => {
  const [one, two] = await Promise.all([freePorts(12), freePorts(12)]);
  for (const ports of [one, two]) {
    expect(new Set(ports).size).toBe(12);
    for (const port of ports) expect(port >= 20_000 && port <= 32_767).toBe(true);
  }
  const [port] = one;
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1' }, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
});
