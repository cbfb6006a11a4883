/** A unix socket outlives its process as a file: this tells a dead one from one in use. */
import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes the socket that a dead process left.
 * @throws Error when a process listens on it, or the file is something else
 */
export async function clearUnixSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket: remove it, or choose another path`);
  if (await isAlive(path)) {
    throw new Error(`a process listens on ${path} already: stop it, or choose another path`);
  }
  rmSync(path, { force: true });
}

function isAlive(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => {
    socket.destroy();
    resolve(true);
  });
  socket.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
    // A full backlog is the sign of somebody who listens.
    else if (error.code === 'EAGAIN') resolve(true);
    else reject(new Error(`cannot tell whether ${path} is in use: ${error.message}`));
  });
  return promise;
}
