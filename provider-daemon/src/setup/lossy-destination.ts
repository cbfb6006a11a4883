/** Where a process writes its log: a file may be behind it, on a disk that gets full. */
import pino from 'pino';

/** Writes to a file descriptor; lines that it does not take are lost, and nothing else happens. */
export function lossyDestination(fd: number): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ fd, sync: true });
  destination.on('error', () => {});
  return destination;
}
