/** One request from its route to the last byte of its answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { WorkloadError, type WorkloadLog } from '../workloads/driver.ts';
import { badAnswer, bodyTooLarge, methodNotAllowed, type Refusal, refusalOf, refusals, refuse } from './answers.ts';
import { type BodyBudget, readBody } from './body.ts';
import { cgiArguments, cgiEnvironment } from './cgi-request.ts';
import { CgiError } from './cgi-response.ts';
import { ResponseWriter } from './response-writer.ts';
import { type GatewayService, normalPath, type RouteMatch, type RouteTable } from './routes.ts';
import type { GatewayMeter } from './usage.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Without a deployment's prefix, as the client spelled it. */
  readonly path: string;
  readonly query: string;
  readonly service: GatewayService;
  readonly table: RouteTable;
  readonly meter: GatewayMeter;
  readonly bodyLimit: number;
  readonly budget: BodyBudget;
  readonly log: WorkloadLog;
}

type Callee = GatewayService['functions'] extends ReadonlyMap<string, infer F> ? F : never;

/** How long what remains of a refused body is read, so that the client sees the refusal and not a broken connection. */
const discardMs = 2_000;

/** Answers a request. @throws PathError for a path that has no meaning */
export async function serve(exchange: Exchange): Promise<void> {
  logAtEnd(exchange);
  const { request, service, table } = exchange;
  const match = table.match(normalPath(exchange.path), request.method ?? 'GET');
  if (match === undefined) return decline(exchange, refusals.noRoute);
  if ('allowed' in match) return decline(exchange, methodNotAllowed(match.allowed));
  const { to } = match.route;
  const callee = to.kind === 'function' ? service.functions.get(to.name) : undefined;
  if (callee === undefined) return decline(exchange, refusals.notRunning);
  if (request.headers.expect !== undefined && Number(request.headers['content-length'] ?? 0) <= exchange.bodyLimit) {
    exchange.response.writeContinue();
  }
  const body = await readBody(request, exchange.bodyLimit, exchange.budget);
  if ('refused' in body) {
    if (body.refused === 'aborted') exchange.response.destroy();
    else await declineBody(exchange, body.refused === 'too_large' ? bodyTooLarge(exchange.bodyLimit) : refusals.noRoom);
    return;
  }
  exchange.meter.addBytes(body.bytes.length);
  try {
    await call(exchange, { match, callee, body: body.bytes });
  } finally {
    exchange.budget.give(body.bytes.length);
  }
}

async function call(exchange: Exchange, target: { match: RouteMatch; callee: Callee; body: Buffer }): Promise<void> {
  const { request, response, meter } = exchange;
  const { match, callee, body } = target;
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const { socket } = request;
  const env = cgiEnvironment({
    method: request.method ?? 'GET',
    headers: request.headers,
    httpVersion: request.httpVersion,
    url: request.url ?? '/',
    query: exchange.query,
    rawPath: exchange.path,
    match,
    bodyBytes: body.length,
    remoteAddress: socket.remoteAddress ?? '',
    local: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
  });
  const args = cgiArguments({ match, query: exchange.query });
  const writer = new ResponseWriter(response, (bytes) => meter.addBytes(bytes));
  try {
    const result = await callee.invoke({ args, env, stdin: body, signal: gone.signal }, (chunk) => writer.write(chunk));
    if (result.exitCode !== 0) exchange.log(callee.spec, 'system', `ended with exit code ${result.exitCode}`);
    writer.finish();
  } catch (error) {
    failed(exchange, { writer, callee, error });
  }
}

/** Before the headers were sent the client is told; after them all that is left is to cut the connection. */
function failed(exchange: Exchange, what: { writer: ResponseWriter; callee: Callee; error: unknown }): void {
  const { writer, callee, error } = what;
  if (!(error instanceof WorkloadError) && !(error instanceof CgiError)) throw error;
  if (error instanceof CgiError) exchange.log(callee.spec, 'system', `its answer is not CGI: ${error.message}`);
  if (exchange.response.destroyed) return;
  if (writer.begun) exchange.response.destroy();
  else decline(exchange, error instanceof CgiError ? badAnswer(error.message) : refusalOf(error));
}

function decline(exchange: Exchange, refusal: Refusal): void {
  exchange.meter.addBytes(refuse(exchange.response, refusal));
  exchange.request.resume();
}

/** Refuses a body that is still being sent: the answer goes at once, the connection ends when the client has seen it. */
async function declineBody(exchange: Exchange, refusal: Refusal): Promise<void> {
  const { request, response } = exchange;
  exchange.meter.addBytes(refuse(response, refusal, { close: true }));
  if (request.headers.expect === undefined) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, discardMs);
    request.once('close', resolve).once('end', resolve).resume();
    await promise;
    clearTimeout(timer);
  }
  response.end();
}

function logAtEnd({ request, response, path, service, log }: Exchange): void {
  const started = performance.now();
  response.once('close', () => {
    const cut = response.writableFinished ? '' : ' (cut)';
    const line = `${request.method} ${path} ${response.statusCode}${cut} ${(performance.now() - started).toFixed(1)} ms`;
    log({ deployment: service.deployment, service: service.service }, 'request', line);
  });
}
