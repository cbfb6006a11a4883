/** How long the body of a request may take to come: longer the more of it has come, so that a large one is not cut. */
import type { IncomingMessage } from 'node:http';

/** What every body may take, in milliseconds … */
const baseMs = 10 * 60_000;
/** … and a second more for so many bytes of it. */
const bytesPerSecond = 64 * 1024;
const lookEveryMs = 10_000;

/** When a body of which so many bytes have come must be whole, in milliseconds since it began. */
export function dueMs(bytes: number): number {
  return baseMs + (bytes / bytesPerSecond) * 1_000;
}

/** What is looked at of a request. */
export type WatchedRequest = Pick<IncomingMessage, 'complete' | 'once' | 'destroy'> & {
  readonly socket: Pick<IncomingMessage['socket'], 'bytesRead'>;
};

/** Ends a request whose body is not whole in time. @param now milliseconds, of a clock that only goes on */
export function watchBody(request: WatchedRequest, now: () => number = () => performance.now()): void {
  if (request.complete) return;
  const [startedMs, before] = [now(), request.socket.bytesRead];
  const look = (): void => {
    if (request.complete) clearInterval(timer);
    else if (now() - startedMs > dueMs(request.socket.bytesRead - before)) request.destroy();
  };
  const timer = setInterval(look, lookEveryMs).unref();
  request.once('close', () => clearInterval(timer));
}
