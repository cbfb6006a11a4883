/** The type URLs of google.protobuf.Any in the form of the Cosmos SDK. */
import {
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  type Registry,
  toBinary,
} from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';

const anyTypeName = 'google.protobuf.Any';

/**
 * Gives every Any in the message, and in what these hold, the type URL `/name`. @bufbuild/protobuf reads any prefix, but
 * always writes `type.googleapis.com/name`, which no Cosmos chain knows. Changes the message in place.
 */
export function useSlashTypeUrls(registry: Registry, desc: DescMessage, message: Message): void {
  visit(registry, desc, message);
}

/** @returns whether a type URL was changed */
function visit(registry: Registry, desc: DescMessage, message: Message): boolean {
  if (desc.typeName === anyTypeName) return rename(registry, message as Any);
  let changed = false;
  for (const field of anyFieldsOf(desc)) {
    const value = contentOf(message as Fields, field);
    if (value === undefined) continue;
    const items = field.fieldKind === 'message' ? [value as Message] : (Object.values(value) as Message[]);
    for (const item of items) changed = visit(registry, field.message as DescMessage, item) || changed;
  }
  return changed;
}

type Fields = Message & { readonly [field: string]: unknown };

/** A message, a list or a map of messages, as the library keeps it. */
function contentOf(message: Fields, field: DescField): object | undefined {
  if (field.oneof === undefined) return message[field.localName] as object | undefined;
  const chosen = message[field.oneof.localName] as { readonly case?: string; readonly value?: unknown };
  return chosen.case === field.localName ? (chosen.value as object) : undefined;
}

function rename(registry: Registry, any: Any): boolean {
  const name = any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1);
  const desc = registry.getMessage(name);
  if (desc === undefined) return false;
  if (anyFieldsOf(desc).length > 0) {
    const content = fromBinary(desc, any.value);
    if (visit(registry, desc, content)) any.value = toBinary(desc, content);
  }
  const changed = any.typeUrl !== `/${name}`;
  any.typeUrl = `/${name}`;
  return changed;
}

// A memo of a pure function of immutable descriptors: most lists hold no Any, and may be long.
const anyFields = new WeakMap<DescMessage, readonly DescField[]>();

/** The fields of a type in which an Any may be, at any depth. */
function anyFieldsOf(desc: DescMessage): readonly DescField[] {
  let fields = anyFields.get(desc);
  if (fields === undefined) {
    fields = desc.fields.filter(({ message }) => message !== undefined && reachesAny(message, new Set()));
    anyFields.set(desc, fields);
  }
  return fields;
}

/** @param seen types on the way, for a type may hold itself */
function reachesAny(desc: DescMessage, seen: Set<DescMessage>): boolean {
  if (desc.typeName === anyTypeName) return true;
  if (seen.has(desc)) return false;
  seen.add(desc);
  return desc.fields.some(({ message }) => message !== undefined && reachesAny(message, seen));
}
