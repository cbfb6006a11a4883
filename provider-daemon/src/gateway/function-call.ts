/** A request that a function answers: its body is gathered, its answer streams. */
import { WorkloadError } from '../workloads/driver.ts';
import { badAnswer, bodyTooLarge, refusalOf, refusals } from './answers.ts';
import { type Body, readBody } from './body.ts';
import { cgiArguments, cgiEnvironment } from './cgi-request.ts';
import { CgiError } from './cgi-response.ts';
import { calleeOf, countOut, decline, type Exchange, inPlace } from './exchange.ts';
import { ResponseWriter } from './response-writer.ts';
import type { GatewayService, RouteMatch } from './routes.ts';

type Callee = GatewayService['functions'] extends ReadonlyMap<string, infer F> ? F : never;

export async function callFunction(exchange: Exchange, match: RouteMatch): Promise<void> {
  const { call, deployment, around } = exchange;
  const callee = deployment.service.functions.get(match.route.to.name);
  if (callee === undefined) return decline(exchange, refusals.notRunning);
  const full = around.admission.refusal(deployment.slots);
  if (full !== undefined) return decline(exchange, full);
  const body = await readBody(call, around.limits.bodyBytes, deployment.bodies);
  if ('refused' in body) return declineBody(exchange, body.refused);
  deployment.meter.addBytes(body.bytes.length);
  try {
    await inPlace(exchange, () => invoke(exchange, { match, callee, body: body.bytes }));
  } finally {
    deployment.bodies.give(body.bytes.length);
  }
}

function declineBody(exchange: Exchange, refused: Extract<Body, { refused: string }>['refused']): void {
  if (refused === 'too_large') decline(exchange, bodyTooLarge(exchange.around.limits.bodyBytes));
  else if (refused === 'no_room') decline(exchange, refusals.noRoom);
  else if (refused === 'no_room_here') decline(exchange, refusals.noRoomHere);
}

async function invoke(exchange: Exchange, target: { match: RouteMatch; callee: Callee; body: Buffer }): Promise<void> {
  const { call, target: sent } = exchange;
  const { match, callee, body } = target;
  const gone = new AbortController();
  call.onClose((complete) => {
    if (!complete) gone.abort();
  });
  const env = cgiEnvironment({
    call,
    host: sent.host,
    query: sent.query,
    rawPath: exchange.path,
    prefix: exchange.prefix,
    match,
    bodyBytes: body.length,
  });
  const args = cgiArguments({ match, query: sent.query });
  const writer = new ResponseWriter(call, (bytes) => countOut(exchange, bytes));
  try {
    const result = await callee.invoke({ args, env, stdin: body, signal: gone.signal }, (chunk) => writer.write(chunk));
    const { log } = exchange.around;
    if (result.exitCode !== 0) log(calleeOf(exchange, match), 'system', `ended with exit code ${result.exitCode}`);
    writer.finish();
  } catch (error) {
    failed(exchange, { writer, match, error });
  }
}

/** Before the headers were sent the client is told; after them all that is left is to cut the answer. */
function failed(exchange: Exchange, what: { writer: ResponseWriter; match: RouteMatch; error: unknown }): void {
  const { writer, match, error } = what;
  if (!(error instanceof WorkloadError) && !(error instanceof CgiError)) throw error;
  if (error instanceof CgiError) {
    exchange.around.log(calleeOf(exchange, match), 'system', `its answer is not CGI: ${error.message}`);
  }
  if (exchange.call.closed) return;
  if (writer.complete) exchange.call.end();
  else if (writer.begun) exchange.call.cut();
  else decline(exchange, error instanceof CgiError ? badAnswer(error.message) : refusalOf(error));
}
