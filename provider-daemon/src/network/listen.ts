/**
 * Listening where others listen too: the gateway may hold a port at all addresses of the machine, while a relay holds the same
 * port at the one address that stands for a peer. Linux lets both be where both say so (SO_REUSEPORT, socket(7)); a
 * connection goes to whoever has its very address.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type ListenOptions, type Server } from 'node:net';

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

/**
 * At a socket of this machine that only its user can open. What a process that is gone has left there is removed.
 * @throws the system's error where the path cannot be had
 */
export async function listenAtPath(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  await listening(server, { path });
  // The folder keeps others out already; this is the second lock.
  chmodSync(path, 0o600);
}

async function listening(server: Server, options: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(options, () => {
    server.off('error', reject);
    resolve();
  });
  await promise;
}
