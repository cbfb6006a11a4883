/** Parameters of RPC methods, from JSON (an object or an array) and from URIs, converted as CometBFT does. */
import { fromBase64, fromHex, utf8 } from '@mu/lib/bytes';
import { RpcError } from './jsonrpc.ts';

/** `bytes` is base64 in JSON, `hex` is hex there; in URIs both are `0x…` or a quoted text taken literally. */
export type ParamType = 'int' | 'bool' | 'string' | 'bytes' | 'hex' | 'json';

/** Names and types of a method's parameters, in their order. */
export type ParamSpec = Readonly<Record<string, ParamType>>;

type Value<T extends ParamType> = T extends 'int'
  ? bigint
  : T extends 'bool'
    ? boolean
    : T extends 'string'
      ? string
      : T extends 'json'
        ? unknown
        : Uint8Array;

/** What a method receives: undefined where a parameter is missing or null. */
export type Params<S extends ParamSpec> = { readonly [K in keyof S]: Value<S[K]> | undefined };

const greatest = (1n << 63n) - 1n;

/** @throws RpcError naming what is wrong */
export function paramsFromJson<S extends ParamSpec>(spec: S, params: unknown): Params<S> {
  const names = Object.keys(spec);
  if (params === undefined || params === null) return {} as Params<S>;
  if (Array.isArray(params)) {
    if (params.length !== names.length) {
      throw invalidJson(
        `expected ${names.length} parameters ([${names.join(' ')}]), got ${params.length} (${JSON.stringify(params)})`,
      );
    }
    return convert(spec, (_, index) => params[index], fromJson, invalidJson);
  }
  if (typeof params !== 'object') throw invalidJson('unknown type for JSON params. Expected map or array');
  const given = params as Record<string, unknown>;
  return convert(spec, (name) => (Object.hasOwn(given, name) ? given[name] : undefined), fromJson, invalidJson);
}

/** @throws RpcError naming what is wrong */
export function paramsFromUri<S extends ParamSpec>(spec: S, query: URLSearchParams): Params<S> {
  return convert(spec, (name) => query.get(name) || undefined, fromUri, invalidUri);
}

function convert<S extends ParamSpec>(
  spec: S,
  given: (name: string, index: number) => unknown,
  read: (type: ParamType, value: unknown) => unknown,
  refusal: (text: string) => RpcError,
): Params<S> {
  const out: Record<string, unknown> = {};
  Object.entries(spec).forEach(([name, type], index) => {
    const value = given(name, index);
    if (value === undefined || value === null) return;
    try {
      out[name] = read(type, value);
    } catch (error) {
      throw refusal(`${name}: ${(error as Error).message}`);
    }
  });
  return out as Params<S>;
}

function invalidJson(text: string): RpcError {
  return RpcError.invalidParams(`error converting json params to arguments: ${text}`);
}

function invalidUri(text: string): RpcError {
  return RpcError.invalidParams(`error converting http params to arguments: ${text}`);
}

function fromJson(type: ParamType, value: unknown): unknown {
  if (type === 'json') return value;
  if (type === 'int') return readInteger(value);
  if (type === 'bool') {
    if (typeof value !== 'boolean') throw new Error(`expected true or false, got ${JSON.stringify(value)}`);
    return value;
  }
  if (typeof value !== 'string') throw new Error(`expected a string, got ${JSON.stringify(value)}`);
  if (type === 'string') return value;
  return type === 'hex' ? fromHex(value) : fromBase64(value);
}

/** CometBFT wants 64-bit integers as texts; a number is taken too where it is exact. */
function readInteger(value: unknown): bigint {
  const isText = typeof value === 'string' && /^-?\d{1,19}$/.test(value);
  if (!isText && !Number.isSafeInteger(value)) {
    throw new Error(`invalid 64-bit integer encoding ${JSON.stringify(value)}, expected string`);
  }
  const integer = BigInt(value as string | number);
  if (integer > greatest) throw new Error(`${integer} does not fit into 64 bits`);
  return integer;
}

function fromUri(type: ParamType, value: unknown): unknown {
  const text = value as string;
  if (type === 'int' && /^-?\d+$/.test(text)) return readInteger(text);
  if (/^0x/i.test(text)) {
    if (type === 'string') return Buffer.from(fromHex(text.slice(2))).toString();
    if (type !== 'bytes' && type !== 'hex') throw new Error(`got a hex string arg, but expected '${type}'`);
    return fromHex(text.slice(2));
  }
  const json = JSON.parse(text) as unknown;
  // A quoted text is the bytes themselves here, not their base64.
  if ((type === 'bytes' || type === 'hex') && typeof json === 'string') return utf8(json);
  return fromJson(type, json);
}
