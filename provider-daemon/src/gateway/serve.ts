/** One request from its route to the last byte of its answer. */
import { methodNotAllowed, refusals } from './answers.ts';
import { decline, type Exchange } from './exchange.ts';
import { callFunction } from './function-call.ts';
import { askWorkload } from './proxy.ts';
import { normalPath } from './routes.ts';
import { openWebsocket } from './websocket.ts';

/** Answers a request. @throws PathError for a path that has no meaning */
export async function serve(exchange: Exchange): Promise<void> {
  logAtEnd(exchange);
  const { call, deployment } = exchange;
  const match = deployment.table.match(normalPath(exchange.path), call.method);
  if (match === undefined) return decline(exchange, refusals.noRoute);
  if ('allowed' in match) return decline(exchange, methodNotAllowed(match.allowed));
  if (exchange.upgrade !== undefined) return openWebsocket(exchange, match);
  return match.route.to.kind === 'function' ? callFunction(exchange, match) : askWorkload(exchange, match);
}

function logAtEnd({ call, path, deployment, around }: Exchange): void {
  const started = performance.now();
  const { deployment: id, service } = deployment.service;
  call.onClose((complete) => {
    const cut = complete ? '' : ' (cut)';
    const line = `${call.method} ${path} ${call.status}${cut} ${(performance.now() - started).toFixed(1)} ms`;
    around.log({ deployment: id, service }, 'request', line);
  });
}
