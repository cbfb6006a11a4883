/**
 * Listening where others listen too: the gateway may hold a port at all addresses of the machine, while a relay holds the same
 * port at the one address that stands for a peer. Linux lets both be where both say so (SO_REUSEPORT, socket(7)); a
 * connection goes to whoever has its very address.
 */
import { createServer, type Server } from 'node:net';

export interface ListenAt {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

/** @throws the system's error where the address cannot be had, or a program holds it alone */
export async function listenBeside(server: Server, at: ListenAt): Promise<void> {
  await listening(server, { ...at, reusePort: at.port !== 0 });
}

/**
 * As `listenBeside`, for whoever must be the only one at its address: two of them would each get a part of the connections.
 * @throws the system's error where somebody holds the address
 */
export async function listenAlone(server: Server, at: ListenAt): Promise<void> {
  if (at.port !== 0) {
    const probe = createServer();
    await listening(probe, { ...at, reusePort: false });
    await new Promise((resolve) => probe.close(resolve));
  }
  await listenBeside(server, at);
}

async function listening(server: Server, options: ListenAt & { readonly reusePort: boolean }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(options, () => {
    server.off('error', reject);
    resolve();
  });
  await promise;
}
