/** JSON-RPC 2.0 as CometBFT speaks it (rpc/jsonrpc): requests, answers, and the codes and texts of errors. */
import { messageOf } from '@mu/lib/error-message';
import { goJson } from './go-json.ts';

export type RpcId = string | number;

/** A call that was read; one without id wants no answer. */
export interface RpcRequest {
  id: RpcId | undefined;
  method: string;
  params: unknown;
}

/** An error with CometBFT's code and message; `data` says what happened. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: string;

  constructor(code: number, message: string, data: string) {
    super(message);
    this.code = code;
    this.data = data;
  }

  static parse(data: string): RpcError {
    return new RpcError(-32700, 'Parse error. Invalid JSON', data);
  }
  static invalidRequest(data: string): RpcError {
    return new RpcError(-32600, 'Invalid Request', data);
  }
  static methodNotFound(): RpcError {
    return new RpcError(-32601, 'Method not found', '');
  }
  static invalidParams(data: string): RpcError {
    return new RpcError(-32602, 'Invalid params', data);
  }
  static internal(data: string): RpcError {
    return new RpcError(-32603, 'Internal error', data);
  }
  static server(data: string): RpcError {
    return new RpcError(-32000, 'Server error', data);
  }
}

/** Id of answers to GET requests, which have none. */
export const uriId = -1;

/** The text of a successful answer. */
export function successText(id: RpcId, result: unknown): string {
  return goJson({ jsonrpc: '2.0', id, result });
}

/** The text of a failed answer; without id when the request's could not be read. */
export function errorText(id: RpcId | undefined, thrown: unknown): string {
  const error = thrown instanceof RpcError ? thrown : RpcError.internal(textOf(thrown));
  const { code, message, data } = error;
  return goJson({
    jsonrpc: '2.0',
    ...(id !== undefined && { id }),
    error: { code, message, ...(data !== '' && { data }) },
  });
}

function textOf(thrown: unknown): string {
  return messageOf(thrown);
}

/** Reads a body or a message. @throws RpcError when it is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw RpcError.parse(`error unmarshaling request: ${(error as Error).message}`);
  }
}

/** @throws RpcError when it is no request */
export function readRequest(json: unknown): RpcRequest {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw RpcError.parse('error unmarshaling request: a request must be an object');
  }
  const { id, method, params } = json as Record<string, unknown>;
  if (id === undefined || id === null) return { id: undefined, method: '', params: undefined };
  if (typeof id !== 'string' && typeof id !== 'number') {
    throw RpcError.parse(`error unmarshaling request: json-rpc ID (${String(id)}) is of unknown type (${typeof id})`);
  }
  if (method !== undefined && typeof method !== 'string') {
    throw RpcError.parse('error unmarshaling request: method must be a text');
  }
  return { id: typeof id === 'number' ? Math.trunc(id) : id, method: method ?? '', params };
}
