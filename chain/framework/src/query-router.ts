/** Queries by gRPC path, `/mu.market.v1.Query/Order`. They read committed state and write nothing. */
import { compareText } from '@mu/lib/text';
import type { Context } from './context.ts';
import { errInvalidRequest, errUnknownRequest } from './errors.ts';
import type { Handlers, MethodDefinition, Methods, MsgHandler, ServiceDefinition } from './message-registry.ts';

/** Answers encoded requests with encoded responses. */
export type RawQuery = (ctx: Context, request: Uint8Array) => Uint8Array;

export class QueryRouter {
  readonly #byPath = new Map<string, RawQuery>();

  /** Adds the queries of a service that have a handler. */
  register<M extends Methods>(service: ServiceDefinition<M>, handlers: Partial<Handlers<M>>): void {
    for (const key of Object.keys(handlers).sort(compareText)) {
      const method = service.methods[key] as MethodDefinition<unknown, unknown>;
      const handler = handlers[key] as MsgHandler<unknown, unknown>;
      this.registerRaw(`/${service.fullName}/${method.name}`, (ctx, bytes) => {
        const answer = handler(ctx, decodeRequest(method, bytes));
        return method.responseType.encode(answer).finish();
      });
    }
  }

  /** @throws Error when the path is taken */
  registerRaw(path: string, query: RawQuery): void {
    if (this.#byPath.has(path)) throw new Error(`query ${path} is registered twice`);
    this.#byPath.set(path, query);
  }

  get(path: string): RawQuery | undefined {
    return this.#byPath.get(path);
  }

  /** @throws AbciError unknown request (6) */
  answer(ctx: Context, path: string, request: Uint8Array): Uint8Array {
    const query = this.#byPath.get(path);
    if (query === undefined) throw errUnknownRequest.wrap(`unknown query path: ${path}`);
    return query(ctx, request);
  }

  paths(): string[] {
    return [...this.#byPath.keys()].sort(compareText);
  }
}

function decodeRequest(method: MethodDefinition<unknown, unknown>, bytes: Uint8Array): unknown {
  try {
    return method.requestType.decode(bytes);
  } catch {
    throw errInvalidRequest.wrap(`the request is not a ${method.name} request`);
  }
}
