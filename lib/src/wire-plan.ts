/** What the strict walk needs to know of a message type, worked out once per type. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { wireBytes, wireFixed32, wireFixed64, wireVarint } from './wire-cursor.ts';

/** One field, as the walk sees it. */
export interface FieldPlan {
  name: string;
  /** Place in the table of what a message has already shown. Members of one oneof share it: only one may be there. */
  slot: number;
  wireType: number;
  repeated: boolean;
  /** Repeated numbers may also come packed into one length-delimited chunk. */
  packable: boolean;
  isString: boolean;
  isMap: boolean;
  message: DescMessage | undefined;
}

/** All fields of a type. */
export interface MessagePlan {
  typeName: string;
  name: string;
  slots: number;
  fields: ReadonlyMap<number, FieldPlan>;
}

// A memo of a pure function of an immutable descriptor: it can make a walk faster, never different.
const plans = new WeakMap<DescMessage, MessagePlan>();

/** The plan of a message type. */
export function planOf(desc: DescMessage): MessagePlan {
  let plan = plans.get(desc);
  if (plan === undefined) {
    plan = makePlan(desc);
    plans.set(desc, plan);
  }
  return plan;
}

function makePlan(desc: DescMessage): MessagePlan {
  const fields = new Map<number, FieldPlan>();
  const slotOfOneof = new Map<string, number>();
  let slots = 0;
  for (const field of desc.fields) {
    let slot = slots;
    const shared = field.oneof && slotOfOneof.get(field.oneof.name);
    if (shared !== undefined) slot = shared;
    else slots += 1;
    if (field.oneof) slotOfOneof.set(field.oneof.name, slot);
    fields.set(field.number, planField(field, slot));
  }
  return { typeName: desc.typeName, name: desc.name, slots, fields };
}

function planField(field: DescField, slot: number): FieldPlan {
  const wireType = field.scalar === undefined ? (field.enum ? wireVarint : wireBytes) : wireTypeOf(field.scalar);
  const repeated = field.fieldKind === 'list';
  return {
    name: field.name,
    slot,
    wireType,
    repeated,
    packable: repeated && wireType !== wireBytes,
    isString: field.scalar === ScalarType.STRING,
    isMap: field.fieldKind === 'map',
    message: field.message,
  };
}

function wireTypeOf(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return wireBytes;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return wireFixed64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return wireFixed32;
    default:
      return wireVarint;
  }
}
