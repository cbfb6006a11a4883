/** Turns requests into texts of answers, whatever carried them. */

import {
  errorText,
  parseJson,
  RpcError,
  type RpcId,
  type RpcRequest,
  readRequest,
  successText,
  uriId,
} from './jsonrpc.ts';
import type { RpcContext, RpcMethod } from './method.ts';
import { methods } from './methods.ts';
import { paramsFromJson, paramsFromUri } from './params.ts';

/** Requests in one batch. */
const maxBatch = 10;

/** An answer over HTTP. */
export interface HttpAnswer {
  status: number;
  /** JSON; empty when there is nothing to answer. */
  text: string;
  /** The answer will be the same for ever. */
  isCacheable: boolean;
}

function named(name: string): RpcMethod {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (method === undefined) throw RpcError.methodNotFound();
  return method;
}

async function answered(id: RpcId, call: () => unknown): Promise<string> {
  try {
    return successText(id, await call());
  } catch (error) {
    return errorText(id, error);
  }
}

/** One call with an id. Never throws. */
export async function answerRequest(
  context: RpcContext,
  { id, method, params }: RpcRequest & { id: RpcId },
): Promise<{ text: string; isCacheable: boolean }> {
  let isCacheable = false;
  const text = await answered(id, async () => {
    const found = named(method);
    const converted = paramsFromJson(found.params, params);
    const result = await found.call(context, converted);
    isCacheable = found.isCacheable(converted);
    return result;
  });
  return { text, isCacheable };
}

/** The body of a POST: one request or a batch. Never throws. */
export async function answerBody(context: RpcContext, body: string): Promise<HttpAnswer> {
  let requests: RpcRequest[];
  try {
    const json = parseJson(body);
    if (Array.isArray(json) && json.length > maxBatch) {
      const text = `batch request exceeds maximum (${maxBatch}) allowed number of requests`;
      return { status: 200, text: errorText(undefined, RpcError.invalidRequest(text)), isCacheable: false };
    }
    requests = (Array.isArray(json) ? json : [json]).map(readRequest);
  } catch (error) {
    return { status: 500, text: errorText(undefined, error), isCacheable: false };
  }
  const texts: string[] = [];
  let isCacheable = true;
  for (const { id, method, params } of requests) {
    // A call without id is a notification and gets no answer.
    if (id === undefined) continue;
    const answer = await answerRequest(context, { id, method, params });
    texts.push(answer.text);
    isCacheable &&= answer.isCacheable;
  }
  const text = texts.length === 1 ? texts[0]! : texts.length === 0 ? '' : `[${texts.join(',')}]`;
  return { status: 200, text, isCacheable: isCacheable && texts.length > 0 };
}

/** A GET of `/method?name=value`; undefined when there is no such method. Never throws. */
export async function answerUri(
  context: RpcContext,
  name: string,
  query: URLSearchParams,
): Promise<HttpAnswer | undefined> {
  if (!Object.hasOwn(methods, name)) return undefined;
  const found = named(name);
  try {
    const converted = paramsFromUri(found.params, query);
    const text = successText(uriId, await found.call(context, converted));
    return { status: 200, text, isCacheable: found.isCacheable(converted) };
  } catch (error) {
    return { status: 500, text: errorText(uriId, error), isCacheable: false };
  }
}
