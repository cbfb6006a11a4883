/**
 * The strict walk over protobuf bytes, made before anything is decoded (design: "size, depth and unknown fields refused
 * before work"). It follows the descriptors, allocates next to nothing, and refuses what decoders drop in silence or
 * read in different ways, so that what was signed, what is shown and what is executed are the same message.
 *
 * It is the SDK's RejectUnknownFields (the same rule on non-critical fields, the same way into google.protobuf.Any) with
 * bounds, and with three refusals more:
 * - a field that is not repeated and comes twice, or two members of one oneof: Go merges such messages, others take the
 *   last one;
 * - strings that are not UTF-8: decoders replace the bytes, and re-encode another message;
 * - groups and map fields, which no message of ours has.
 */
import type { DescMessage, Registry } from '@bufbuild/protobuf';
import { fromUtf8, isUtf8 } from './bytes.ts';
import {
  Cursor,
  StepError,
  WireError,
  type WireErrorReason,
  wireBytes,
  wireFixed32,
  wireFixed64,
  wireVarint,
} from './wire-cursor.ts';
import { type FieldPlan, type MessagePlan, planOf } from './wire-plan.ts';

export { isCanonicalTxRaw, WireError, type WireErrorReason } from './wire-cursor.ts';

/** Bounds of one walk. */
export interface WireLimits {
  /** Bytes of the whole. */
  maxBytes: number;
  /** Messages within messages, the outermost being 1; an Any and its content are two. */
  maxDepth: number;
  /** Any within Any. */
  maxAnyDepth: number;
  /** Fields and packed elements, all levels together. */
  maxFields: number;
  /** Let unknown fields pass whose number has bit 11 set, at every level (the SDK does so in TxBody alone). */
  allowNonCritical: boolean;
}

export const defaultWireLimits: Readonly<WireLimits> = {
  maxBytes: 2 * 1024 * 1024,
  maxDepth: 32,
  maxAnyDepth: 8,
  maxFields: 50_000,
  allowNonCritical: false,
};

const anyTypeName = 'google.protobuf.Any';
/** Bit 11 of the field number marks a field that may be ignored (ADR-020). */
const nonCriticalBit = 1 << 10;
const wireTypeNames: readonly string[] = [
  'varint',
  'fixed64',
  'bytes',
  'start_group',
  'end_group',
  'fixed32',
  '6',
  '7',
];

/** Where the walk stands; turned into text only for an error. */
interface Place {
  parent: Place | undefined;
  name: string;
  /** Position within a repeated field, else −1. */
  index: number;
}

/** One walk's constants and counters. */
interface Walk {
  registry: Registry;
  limits: WireLimits;
  fields: number;
  nonCritical: boolean;
}

/** How deep a message stands. */
interface Level {
  depth: number;
  anyDepth: number;
}

/**
 * Walks the bytes of a message of the type, and of everything in it.
 * @param registry resolves the type URLs of google.protobuf.Any
 * @returns whether there was an unknown field that is not critical (amino JSON cannot show one, so it must refuse it)
 * @throws WireError on the first thing that is not as it must be
 */
export function checkWire(
  registry: Registry,
  desc: DescMessage,
  bytes: Uint8Array,
  limits: Partial<WireLimits> = {},
): { hasNonCritical: boolean } {
  const walk: Walk = { registry, limits: { ...defaultWireLimits, ...limits }, fields: 0, nonCritical: false };
  const place: Place = { parent: undefined, name: desc.name, index: -1 };
  if (bytes.length > walk.limits.maxBytes) {
    fail('size', place, `${bytes.length} bytes are above the limit of ${walk.limits.maxBytes}`);
  }
  walkMessage(walk, desc, new Cursor(bytes, 0, bytes.length), place, { depth: 1, anyDepth: 0 });
  return { hasNonCritical: walk.nonCritical };
}

function walkMessage(walk: Walk, desc: DescMessage, cursor: Cursor, place: Place, level: Level): void {
  if (level.depth > walk.limits.maxDepth) fail('depth', place, `nested deeper than ${walk.limits.maxDepth}`);
  const plan = planOf(desc);
  const seen = new Array<number>(plan.slots).fill(0);
  try {
    while (cursor.at < cursor.end) {
      countField(walk, place);
      const tag = cursor.tag();
      const field = plan.fields.get(tag >>> 3);
      if (field === undefined) skipUnknown(walk, plan, tag, cursor, place);
      else
        walkField(
          walk,
          field,
          tag & 7,
          cursor,
          { parent: place, name: field.name, index: indexOf(field, seen, place) },
          level,
        );
    }
  } catch (error) {
    if (error instanceof StepError) fail(error.reason, place, error.message);
    throw error;
  }
}

/** Position of this occurrence of a repeated field, −1 for others. @throws WireError when there can be only one */
function indexOf(field: FieldPlan, seen: number[], place: Place): number {
  const before = seen[field.slot]!;
  seen[field.slot] = before + 1;
  if (field.repeated) return before;
  if (before > 0) fail('duplicate', place, `field ${field.name} or another one of its oneof is there already`);
  return -1;
}

function walkField(walk: Walk, field: FieldPlan, wireType: number, cursor: Cursor, place: Place, level: Level): void {
  if (field.isMap) fail('map', place, 'map fields are not accepted');
  if (wireType !== field.wireType) {
    if (wireType !== wireBytes || !field.packable) {
      const [want, got] = [wireTypeNames[field.wireType], wireTypeNames[wireType]];
      fail('wire-type', place, `wire type ${got}, expected ${want}`);
    }
    walkPacked(walk, field, cursor.chunk(), place);
    return;
  }
  if (wireType !== wireBytes) {
    skipNumber(cursor, wireType);
    return;
  }
  const chunk = cursor.chunk();
  if (field.message !== undefined) {
    const inner = { depth: level.depth + 1, anyDepth: level.anyDepth };
    walkMessage(walk, field.message, new Cursor(chunk.bytes, chunk.at, chunk.end), place, inner);
    if (field.message.typeName === anyTypeName) walkAny(walk, chunk, place, inner);
  } else if (field.isString && !isUtf8(chunk.bytes, chunk.at, chunk.end)) {
    fail('utf8', place, 'string is not UTF-8');
  }
}

/** Content of an Any whose own two fields have been walked already. */
function walkAny(walk: Walk, cursor: Cursor, place: Place, level: Level): void {
  const inner = { depth: level.depth + 1, anyDepth: level.anyDepth + 1 };
  if (inner.anyDepth > walk.limits.maxAnyDepth) {
    fail('any-depth', place, `Any nested deeper than ${walk.limits.maxAnyDepth}`);
  }
  let typeUrl = '';
  let value = new Cursor(cursor.bytes, cursor.end, cursor.end);
  while (cursor.at < cursor.end) {
    const tag = cursor.tag();
    // Fields 1 and 2 are length-delimited: the walk has seen to it. Any other one is unknown and not critical.
    if (tag >>> 3 === 1) {
      const text = cursor.chunk();
      typeUrl = fromUtf8(text.bytes.subarray(text.at, text.end));
    } else if (tag >>> 3 === 2) value = cursor.chunk();
    else skipValue(cursor, tag & 7);
  }
  // One text per type: the registries of the decoders know types by exactly this form.
  const desc = typeUrl.startsWith('/') ? walk.registry.getMessage(typeUrl.slice(1)) : undefined;
  if (desc === undefined) fail('type-url', place, `unable to resolve type URL ${typeUrl.slice(0, 200)}`);
  walkMessage(walk, desc, value, { parent: place, name: 'value', index: -1 }, inner);
}

/** Elements of a packed field, each of which counts like a field of its own. */
function walkPacked(walk: Walk, field: FieldPlan, cursor: Cursor, place: Place): void {
  while (cursor.at < cursor.end) {
    countField(walk, place);
    skipNumber(cursor, field.wireType);
  }
}

function skipUnknown(walk: Walk, plan: MessagePlan, tag: number, cursor: Cursor, place: Place): void {
  const number = tag >>> 3;
  const wireType = tag & 7;
  if (wireType === 3 || wireType === 4) fail('group', place, `group ${number} in ${plan.typeName}`);
  const critical = (number & nonCriticalBit) === 0;
  if (critical || !walk.limits.allowNonCritical) {
    const text = `{TagNum: ${number}, WireType:"${wireTypeNames[wireType]}"}`;
    fail('unknown-field', place, `errUnknownField "${plan.typeName}": ${text}`);
  }
  walk.nonCritical = true;
  if (wireType > wireFixed32) fail('wire-type', place, `wire type ${wireType} does not exist`);
  skipValue(cursor, wireType);
}

function skipValue(cursor: Cursor, wireType: number): void {
  if (wireType === wireBytes) cursor.chunk();
  else skipNumber(cursor, wireType);
}

function skipNumber(cursor: Cursor, wireType: number): void {
  if (wireType === wireVarint) cursor.varint();
  else cursor.skip(wireType === wireFixed64 ? 8 : 4);
}

function countField(walk: Walk, place: Place): void {
  walk.fields += 1;
  if (walk.fields > walk.limits.maxFields) fail('count', place, `more than ${walk.limits.maxFields} fields`);
}

function fail(reason: WireErrorReason, place: Place, text: string): never {
  throw new WireError(reason, textOf(place), text);
}

function textOf(place: Place): string {
  const own = place.index < 0 ? place.name : `${place.name}[${place.index}]`;
  return place.parent === undefined ? own : `${textOf(place.parent)}.${own}`;
}
