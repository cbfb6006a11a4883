/** What the JSON of a message type needs to know of its fields beyond protobuf's own mapping, worked out once per type. */
import {
  type DescExtension,
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  type Registry,
  ScalarType,
} from '@bufbuild/protobuf';

/** How an absent field is shown. */
export type AbsentForm = 'omitted' | 'null' | 'empty-message';

/** One field's rules. */
export interface JsonFieldPlan {
  field: DescField;
  /** A decimal in JSON, atomics on the wire: option (cosmos_proto.scalar) = "cosmos.Dec". */
  isDec: boolean;
  isBytes: boolean;
  isInteger: boolean;
  absent: AbsentForm;
}

/** A type's fields in the order of their declaration, and by the two names that JSON may give them. */
export interface JsonMessagePlan {
  fields: readonly JsonFieldPlan[];
  byKey: ReadonlyMap<string, JsonFieldPlan>;
}

// A memo of a pure function of immutable descriptors. Options are explained by a registry, so it is kept per registry.
const plans = new WeakMap<Registry, WeakMap<DescMessage, JsonMessagePlan>>();

/** The plan of a type under the options that the registry knows. */
export function jsonPlanOf(registry: Registry, desc: DescMessage): JsonMessagePlan {
  let known = plans.get(registry);
  if (known === undefined) {
    known = new WeakMap();
    plans.set(registry, known);
  }
  let plan = known.get(desc);
  if (plan === undefined) {
    plan = makePlan(registry, desc);
    known.set(desc, plan);
  }
  return plan;
}

function makePlan(registry: Registry, desc: DescMessage): JsonMessagePlan {
  const fields = desc.fields.map((field) => planField(registry, field));
  const byKey = new Map<string, JsonFieldPlan>();
  for (const plan of fields) {
    // Compilers write the camel-case name into every descriptor; one made by hand may lack it.
    if (plan.field.jsonName !== '') byKey.set(plan.field.jsonName, plan);
    byKey.set(plan.field.name, plan);
  }
  return { fields, byKey };
}

function planField(registry: Registry, field: DescField): JsonFieldPlan {
  const isRepeated = field.fieldKind === 'list' || field.fieldKind === 'map';
  return {
    field,
    isDec: optionOf(field, registry.getExtension('cosmos_proto.scalar')) === 'cosmos.Dec',
    isBytes: field.scalar === ScalarType.BYTES && !isRepeated,
    isInteger: field.scalar !== undefined && integerScalars.has(field.scalar),
    absent: isRepeated ? 'omitted' : absentForm(registry, field),
  };
}

/** gogoproto's nil pointers print as null; a message that is no pointer in Go prints as its zero value. */
function absentForm(registry: Registry, field: DescField): AbsentForm {
  if (field.oneof !== undefined) return 'omitted';
  if (field.fieldKind !== 'message') return field.proto.proto3Optional ? 'null' : 'omitted';
  const nullable = optionOf(field, registry.getExtension('gogoproto.nullable'));
  return nullable === false ? 'empty-message' : 'null';
}

function optionOf(field: DescField, extension: DescExtension | undefined): unknown {
  return extension !== undefined && hasOption(field, extension) ? getOption(field, extension) : undefined;
}

const integerScalars: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT32,
  ScalarType.INT64,
  ScalarType.UINT32,
  ScalarType.UINT64,
  ScalarType.SINT32,
  ScalarType.SINT64,
  ScalarType.FIXED32,
  ScalarType.FIXED64,
  ScalarType.SFIXED32,
  ScalarType.SFIXED64,
]);
