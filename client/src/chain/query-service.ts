/** Typed queries over `abci_query` from the generated service definitions. */
import { ChainError, grpcStatusOf } from './errors.ts';

/** What answers an ABCI query: a CosmJS Comet client, or anything of its shape. */
export interface AbciQuerier {
  abciQuery(params: { path: string; data: Uint8Array }): Promise<{
    readonly code?: number | undefined;
    readonly value: Uint8Array;
    readonly log?: string | undefined;
    readonly info?: string;
  }>;
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  fromPartial(value: Partial<T>): T;
}

// biome-ignore lint/suspicious/noExplicitAny: each method of a service has types of its own; QueryService gives them back
type Method = { readonly name: string; readonly requestType: Codec<any>; readonly responseType: Codec<any> };

interface Service<M extends Readonly<Record<string, Method>>> {
  readonly fullName: string;
  readonly methods: M;
}

type Message<C> = C extends { decode(bytes: Uint8Array): infer T } ? T : never;

/** One function per method; what a request leaves out has its default. */
export type QueryService<M extends Readonly<Record<string, Method>>> = {
  readonly [K in keyof M]: (request: Partial<Message<M[K]['requestType']>>) => Promise<Message<M[K]['responseType']>>;
};

/**
 * The queries of a service as functions.
 * @throws ChainError with the chain's code and text; `notFound` tells a missing record
 */
export function queryService<M extends Readonly<Record<string, Method>>>(
  querier: AbciQuerier,
  service: Service<M>,
): QueryService<M> {
  const functions = Object.entries(service.methods).map(([key, method]) => {
    const path = `/${service.fullName}/${method.name}`;
    const call = async (request: object): Promise<unknown> => {
      const data = method.requestType.encode(method.requestType.fromPartial(request)).finish();
      return method.responseType.decode(await rawQuery(querier, path, data));
    };
    return [key, call];
  });
  return Object.fromEntries(functions) as QueryService<M>;
}

/** An encoded query by its gRPC path. @throws ChainError with the chain's code and text */
export async function rawQuery(querier: AbciQuerier, path: string, data: Uint8Array): Promise<Uint8Array> {
  const answer = await querier.abciQuery({ path, data });
  const code = answer.code ?? 0;
  if (code === 0) return answer.value;
  const text = answer.log ?? '';
  const inner = simulatedFailure(answer.info);
  if (inner !== undefined) throw new ChainError(`the transaction would fail: ${reasonOf(text)}`, inner);
  const notFound = grpcStatusOf(text) === 'NotFound' || code === 22;
  throw new ChainError(`the query ${path} was refused: ${text}`, { code, notFound });
}

/** What the chain says of a failed simulation, without the frames that the RPC puts around it. */
function reasonOf(text: string): string {
  const framed = /^rpc error: code = \w+ desc = (.*?)(?: with gas used: '\d+')?(?:: unknown request)?$/s.exec(
    text,
  )?.[1];
  return (framed ?? text).replace(/^failed to execute message; message index: 0: /, '');
}

/** A Mu node says beside a failed simulation which code the transaction itself would get. */
function simulatedFailure(info: string | undefined): { codespace: string; code: number } | undefined {
  if (info === undefined || !info.startsWith('{')) return undefined;
  const { codespace, code } = JSON.parse(info) as { codespace?: unknown; code?: unknown };
  return typeof codespace === 'string' && typeof code === 'number' ? { codespace, code } : undefined;
}
