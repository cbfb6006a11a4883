/** Ports of 127.0.0.1 for the parts of the bench. */
import { type AddressInfo, createServer, type Server } from 'node:net';

/** Listens on a free port of 127.0.0.1. @returns the port */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return (server.address() as AddressInfo).port;
}

/** A port that was free a moment ago, for a program that wants to be told one. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
