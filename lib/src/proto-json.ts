/**
 * Protobuf JSON as the Cosmos SDK writes and reads it, by descriptors alone: field names as in the .proto files, defaults
 * printed, absent messages and empty bytes as null, Any as its content with `@type` in front, and fields with the scalar
 * cosmos.Dec as decimals (on the wire they are atomics of 10⁻¹⁸).
 *
 * The mapping itself is protobuf's own, by @bufbuild/protobuf; this file walks the JSON beside the descriptors and
 * changes what the SDK does in its own way.
 */

import {
  create,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Registry,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { useSlashTypeUrls } from './any-urls.ts';
import { Dec, DecError } from './dec.ts';
import { messageOf } from './error-message.ts';
import { type JsonFieldPlan, jsonPlanOf } from './json-plan.ts';

/** JSON or bytes that are not a message of the type; `path` says where. */
export class ProtoJsonError extends Error {
  override readonly name = 'ProtoJsonError';
  readonly path: string;
  readonly #text: string;

  constructor(path: string, text: string, options?: ErrorOptions) {
    super(`${path}: ${text}`, options);
    this.path = path;
    this.#text = text;
  }

  /** The same where the first list of the path is the part of a longer one that begins at an index. */
  inList(from: number): ProtoJsonError {
    const path = this.path.replace(/\[(\d+)\]/, (_, index: string) => `[${Number(index) + from}]`);
    return new ProtoJsonError(path, this.#text, { cause: this.cause });
  }
}

const anyTypeName = 'google.protobuf.Any';
const timestampTypeName = 'google.protobuf.Timestamp';
/** Go's zero time, which is what it prints where a time is absent that is no pointer. */
const zeroTime = '0001-01-01T00:00:00Z';
/** As @bufbuild/protobuf bounds its own recursion. */
const maxDepth = 100;

/**
 * The JSON of a message. Unknown fields are not shown: where that matters (what is signed), checkWire comes first.
 * @param typeName full name without a slash, `cosmos.bank.v1beta1.MsgSend`
 * @throws ProtoJsonError when the bytes are not of the type, or an Any holds a type that the registry does not know
 */
export function messageToJson(registry: Registry, typeName: string, bytes: Uint8Array): JsonValue {
  const desc = typeOf(registry, typeName);
  return wrap(desc.name, () => {
    const json = toJson(desc, fromBinary(desc, bytes), jsonOptions(registry));
    return showMessage(registry, desc, json, desc.name);
  });
}

/**
 * The bytes of a message from its JSON; keys may be the names of the .proto file or protobuf's camel case.
 * @param typeName full name without a slash
 * @throws ProtoJsonError with the path of what is unknown, given twice, or of a wrong kind
 */
export function jsonToMessage(registry: Registry, typeName: string, json: JsonValue): Uint8Array {
  const desc = typeOf(registry, typeName);
  return wrap(desc.name, () => {
    const plain = readMessage(registry, desc, json, { path: desc.name, depth: 1 });
    const message = fromJson(desc, plain, { registry, ignoreUnknownFields: false });
    useSlashTypeUrls(registry, desc, message);
    return toBinary(desc, message);
  });
}

function typeOf(registry: Registry, typeName: string): DescMessage {
  const desc = registry.getMessage(typeName);
  if (desc === undefined) throw new ProtoJsonError(typeName, 'no such message type');
  return desc;
}

/** Errors of the library, which know the field but no path, become ours. */
function wrap<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProtoJsonError) throw error;
    throw new ProtoJsonError(path, messageOf(error), { cause: error });
  }
}

function jsonOptions(registry: Registry): { registry: Registry; useProtoFieldName: true; alwaysEmitImplicit: true } {
  return { registry, useProtoFieldName: true, alwaysEmitImplicit: true };
}

/** The types of google.protobuf have a JSON of their own, in which nothing of ours can be. */
function hasOwnJson(desc: DescMessage): boolean {
  return desc.typeName.startsWith('google.protobuf.') && desc.typeName !== anyTypeName;
}

function isObject(json: JsonValue | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

/** The type that an Any's `@type` names; only the form `/name` is one. */
function typeOfAny(registry: Registry, typeUrl: JsonValue | undefined, path: string): DescMessage {
  if (typeof typeUrl !== 'string') throw new ProtoJsonError(path, '"@type" is missing');
  const desc = typeUrl.startsWith('/') ? registry.getMessage(typeUrl.slice(1)) : undefined;
  if (desc === undefined) throw new ProtoJsonError(path, `unable to resolve type URL ${typeUrl.slice(0, 200)}`);
  return desc;
}

// --- from the library's JSON to the SDK's ---

function showMessage(registry: Registry, desc: DescMessage, json: JsonValue, path: string): JsonValue {
  if (hasOwnJson(desc) || !isObject(json)) return json;
  if (desc.typeName === anyTypeName) return showAny(registry, json, path);
  const out: JsonObject = {};
  for (const plan of jsonPlanOf(registry, desc).fields) {
    const value = json[plan.field.name];
    const shown = value === undefined ? showAbsent(registry, plan, path) : showField(registry, plan, value, path);
    if (shown !== undefined) out[plan.field.name] = shown;
  }
  return out;
}

function showAny(registry: Registry, json: JsonObject, path: string): JsonValue {
  const { '@type': typeUrl, ...content } = json;
  if (typeUrl === undefined) return json;
  const desc = typeOfAny(registry, typeUrl, path);
  if (hasOwnJson(desc)) return { '@type': typeUrl, ...content };
  const shown = showMessage(registry, desc, content, path);
  return isObject(shown) ? { '@type': typeUrl, ...shown } : shown;
}

function showAbsent(registry: Registry, { field, absent }: JsonFieldPlan, path: string): JsonValue | undefined {
  if (absent === 'omitted') return undefined;
  if (absent === 'null' || field.message === undefined) return null;
  if (field.message.typeName === timestampTypeName) return zeroTime;
  const json = toJson(field.message, create(field.message), jsonOptions(registry));
  return showMessage(registry, field.message, json, `${path}.${field.name}`);
}

function showField(registry: Registry, plan: JsonFieldPlan, value: JsonValue, parent: string): JsonValue {
  const path = `${parent}.${plan.field.name}`;
  if (plan.isBytes && value === '') return null;
  return mapValues(plan, value, path, (item, at) => {
    if (plan.isDec) return convertDec(item, at, (text) => Dec.fromAtomics(text).toString());
    return plan.field.message ? showMessage(registry, plan.field.message, item, at) : item;
  });
}

/** One value, or each of a list or a map, turned by the function; the path follows. */
function mapValues(
  { field }: JsonFieldPlan,
  value: JsonValue,
  path: string,
  turn: (item: JsonValue, path: string) => JsonValue,
): JsonValue {
  if (field.fieldKind === 'list') {
    if (!Array.isArray(value)) throw new ProtoJsonError(path, 'expected a list');
    return value.map((item, i) => turn(item, `${path}[${i}]`));
  }
  if (field.fieldKind === 'map') {
    if (!isObject(value)) throw new ProtoJsonError(path, 'expected an object');
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, turn(item, `${path}[${key}]`)]));
  }
  return turn(value, path);
}

/** A Dec from one text to the other. The empty one is a field that was never set, and stays so in both directions. */
function convertDec(value: JsonValue, path: string, convert: (text: string) => string): string {
  if (typeof value !== 'string') throw new ProtoJsonError(path, 'expected a decimal as a string, like "1.25"');
  if (value === '') return '';
  try {
    return convert(value);
  } catch (error) {
    if (error instanceof DecError) throw new ProtoJsonError(path, error.message, { cause: error });
    throw error;
  }
}

// --- from the SDK's JSON to the library's ---

interface Place {
  path: string;
  depth: number;
}

function readMessage(registry: Registry, desc: DescMessage, json: JsonValue, place: Place): JsonValue {
  if (place.depth > maxDepth) throw new ProtoJsonError(place.path, `nested deeper than ${maxDepth}`);
  if (hasOwnJson(desc)) return json;
  if (!isObject(json)) throw new ProtoJsonError(place.path, 'expected an object');
  if (desc.typeName === anyTypeName) return readAny(registry, json, place);
  const plan = jsonPlanOf(registry, desc);
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(json)) {
    const field = plan.byKey.get(key);
    if (field === undefined) throw new ProtoJsonError(place.path, `unknown field ${JSON.stringify(key)}`);
    const name = field.field.name;
    if (Object.hasOwn(out, name)) throw new ProtoJsonError(place.path, `field ${JSON.stringify(name)} is given twice`);
    // null is an absent field in protobuf JSON, whatever its kind.
    out[name] = value === null ? null : readField(registry, field, value, place);
  }
  return out;
}

function readAny(registry: Registry, json: JsonObject, place: Place): JsonValue {
  const { '@type': typeUrl, ...content } = json;
  const desc = typeOfAny(registry, typeUrl, place.path);
  if (hasOwnJson(desc)) return json;
  const read = readMessage(registry, desc, content, { path: place.path, depth: place.depth + 1 });
  return isObject(read) ? { '@type': typeUrl as string, ...read } : read;
}

function readField(registry: Registry, plan: JsonFieldPlan, value: JsonValue, place: Place): JsonValue {
  return mapValues(plan, value, `${place.path}.${plan.field.name}`, (item, path) => {
    if (plan.isDec) return convertDec(item, path, (text) => Dec.fromString(text).atomicsString());
    if (plan.field.message) return readMessage(registry, plan.field.message, item, { path, depth: place.depth + 1 });
    if (plan.isInteger && typeof item === 'number' && !Number.isSafeInteger(item)) {
      throw new ProtoJsonError(path, 'not an integer that JSON numbers hold exactly; write it as a string');
    }
    return item;
  });
}
