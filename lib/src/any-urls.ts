/** The type URLs of google.protobuf.Any in the form of the Cosmos SDK. */
import { type DescMessage, fromBinary, type Message, type Registry, toBinary } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import type { Any } from '@bufbuild/protobuf/wkt';

const anyTypeName = 'google.protobuf.Any';

/**
 * Gives every Any in the message, and in what these hold, the type URL `/name`. @bufbuild/protobuf reads any prefix, but
 * always writes `type.googleapis.com/name`, which no Cosmos chain knows. Changes the message in place.
 */
export function useSlashTypeUrls(registry: Registry, desc: DescMessage, message: Message): void {
  visit(registry, reflect(desc, message, false));
}

function visit(registry: Registry, message: ReflectMessage): void {
  if (message.desc.typeName === anyTypeName) {
    rename(registry, message.message as Any);
    return;
  }
  for (const field of message.fields) {
    if (field.message === undefined || !message.isSet(field)) continue;
    if (field.fieldKind === 'message') visit(registry, message.get(field));
    else if (field.fieldKind === 'list') for (const item of message.get(field)) visit(registry, item as ReflectMessage);
    else for (const item of message.get(field).values()) visit(registry, item as ReflectMessage);
  }
}

function rename(registry: Registry, any: Any): void {
  const name = any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1);
  const desc = registry.getMessage(name);
  if (desc === undefined) return;
  const content = fromBinary(desc, any.value);
  visit(registry, reflect(desc, content, false));
  any.value = toBinary(desc, content);
  any.typeUrl = `/${name}`;
}
