/** A small HTTP server for operators: few paths, no bodies, nothing cached. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** `GET /path` → what answers it. A HEAD is answered as its GET. */
export type Routes = Readonly<Record<string, () => Promise<Answer> | Answer>>;

/** Nobody needs longer to send a request line. */
const requestTimeoutMs = 10_000;
/** Scrapers and commands, not the public. */
const maxConnections = 64;

/** JSON in which 64-bit numbers are texts. */
export function jsonAnswer(value: unknown, status = 200): Answer {
  const body = JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part));
  return { status, type: 'application/json; charset=utf-8', body: `${body}\n` };
}

/** @param onFailure told of what an answer threw; the asker gets 500 without it */
export function operatorServer(routes: Routes, onFailure: (path: string, error: unknown) => void): Server {
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    const path = pathOf(request);
    answer(routes, request)
      .catch((error: unknown) => {
        onFailure(path, error);
        return jsonAnswer({ error: 'the daemon could not answer; its log says why' }, 500);
      })
      .then(({ status, type, body }) => send(response, { status, type, body }, request.method === 'HEAD'));
  });
  server.maxConnections = maxConnections;
  return server;
}

async function answer(routes: Routes, request: IncomingMessage): Promise<Answer> {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const path = pathOf(request);
  const found = `${method} ${path}`;
  if (Object.hasOwn(routes, found)) return (routes[found] as Routes[string])();
  const others = Object.keys(routes).filter((route) => route.endsWith(` ${path}`));
  if (others.length > 0)
    return jsonAnswer({ error: `only ${others.map((route) => route.split(' ')[0]).join(', ')}` }, 405);
  return jsonAnswer({ error: `there are ${Object.keys(routes).join(', ')}` }, 404);
}

function send(response: ServerResponse, { status, type, body }: Answer, headOnly: boolean): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(headOnly ? undefined : body);
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? '';

/** @throws Error that names where it should listen */
export async function listenAt(
  server: Server,
  where: { path: string } | { host: string; port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const name = 'path' in where ? where.path : `${where.host}:${where.port}`;
  server.once('error', (error) => reject(new Error(`${name} cannot be listened at: ${error.message}`)));
  server.listen(where, resolve);
  await promise;
}

/** Ends it at once: what is under way is small, and can be asked for again. */
export async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
}
