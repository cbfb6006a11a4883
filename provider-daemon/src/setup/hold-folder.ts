/** A data folder is one daemon's at a time, from the first moment of its start to its end, however it ends. */
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Takes the folder, by a Unix socket without a file (unix(7), "abstract"): the kernel gives the name to one alone, and lets
 * go of it with the process. Others of the same network namespace are kept out; a daemon of another one is found by the
 * admin socket.
 * @returns how it is let go
 * @throws Error where another process has it
 */
export async function holdFolder(folder: string): Promise<() => Promise<void>> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const name = createHash('sha256').update(realpathSync(folder)).digest('hex');
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(`\0mu-provider/${name}`, resolve);
  try {
    await promise;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`another mu-provider is starting or ending with the data folder ${folder}: wait for it, or end it`);
  }
  server.unref();
  return () => new Promise((done) => server.close(() => done()));
}
