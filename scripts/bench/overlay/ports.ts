/** Ports of 127.0.0.1 for the parts of the bench. */
import type { AddressInfo, Server } from 'node:net';

/** Listens on a free port of 127.0.0.1. @returns the port */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return (server.address() as AddressInfo).port;
}
