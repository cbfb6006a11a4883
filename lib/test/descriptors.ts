/** Descriptors for the tests, made by hand: every kind of field that the walks treat in its own way. */
import {
  create,
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type MessageInitShape,
} from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  type FieldOptions,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt';
import { concatBytes, utf8 } from '../src/bytes.ts';
import { encodeVarint } from '../src/varint.ts';

const anyName = '.google.protobuf.Any';

function field(
  name: string,
  number: number,
  type: Type,
  extra: MessageInitShape<typeof FieldDescriptorProtoSchema> = {},
): FieldDescriptorProto {
  const jsonName = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return create(FieldDescriptorProtoSchema, { name, jsonName, number, type, label: Label.OPTIONAL, ...extra });
}

const repeated = { label: Label.REPEATED };
const typed = (typeName: string): { typeName: string } => ({ typeName });

/** Options as a compiler writes them: extensions are unknown fields until a registry explains them. */
function options(...parts: readonly Uint8Array[]): { options: FieldOptions } {
  return { options: fromBinary(FieldOptionsSchema, concatBytes(...parts)) };
}
const decText = utf8('cosmos.Dec');
const decOption = options(encodeVarint((93002 << 3) | 2), encodeVarint(decText.length), decText);
const notNullable = options(encodeVarint(65001 << 3), encodeVarint(0));

function message(name: string, fields: FieldDescriptorProto[], oneofs: string[] = []): DescriptorProto {
  return create(DescriptorProtoSchema, { name, field: fields, oneofDecl: oneofs.map((oneof) => ({ name: oneof })) });
}

const coin = message('Coin', [field('denom', 1, Type.STRING), field('amount', 2, Type.STRING)]);

const msgPay = message('MsgPay', [
  field('from_address', 1, Type.STRING),
  field('amount', 2, Type.MESSAGE, { ...repeated, ...typed('.test.v1.Coin') }),
  field('price', 3, Type.STRING, decOption),
]);

const msgExec = message('MsgExec', [field('msgs', 2, Type.MESSAGE, { ...repeated, ...typed(anyName) })]);

const body = message('Body', [
  field('messages', 1, Type.MESSAGE, { ...repeated, ...typed(anyName) }),
  field('memo', 2, Type.STRING),
]);

const everything = message(
  'Everything',
  [
    field('count', 1, Type.UINT64),
    field('numbers', 2, Type.UINT32, repeated),
    field('text', 3, Type.STRING),
    field('self', 4, Type.MESSAGE, typed('.test.v1.Everything')),
    field('raw_bytes', 5, Type.BYTES),
    field('wide', 6, Type.FIXED64),
    field('narrow', 7, Type.SFIXED32),
    field('color', 8, Type.ENUM, typed('.test.v1.Color')),
    field('names', 9, Type.STRING, repeated),
    field('left', 10, Type.STRING, { oneofIndex: 0 }),
    field('right', 11, Type.MESSAGE, { ...typed('.test.v1.Coin'), oneofIndex: 0 }),
    field('coins', 12, Type.MESSAGE, { ...repeated, ...typed('.test.v1.Coin') }),
    field('any', 13, Type.MESSAGE, typed(anyName)),
    field('maybe', 14, Type.STRING, { proto3Optional: true, oneofIndex: 1 }),
    field('price', 15, Type.STRING, decOption),
    field('prices', 16, Type.STRING, { ...repeated, ...decOption }),
    field('at', 17, Type.MESSAGE, typed('.google.protobuf.Timestamp')),
    field('lasting', 18, Type.MESSAGE, typed('.google.protobuf.Duration')),
    field('must', 19, Type.MESSAGE, { ...typed('.test.v1.Coin'), ...notNullable }),
    field('flags', 20, Type.BOOL, repeated),
    field('halves', 21, Type.FIXED32, repeated),
    field('signed', 22, Type.SINT64),
    field('table', 23, Type.MESSAGE, { ...repeated, ...typed('.test.v1.Everything.TableEntry') }),
    field('pay', 24, Type.MESSAGE, typed('.test.v1.MsgPay')),
  ],
  ['either', '_maybe'],
);
everything.nestedType.push(
  create(DescriptorProtoSchema, {
    name: 'TableEntry',
    field: [field('key', 1, Type.STRING), field('value', 2, Type.STRING)],
    options: { mapEntry: true },
  }),
);

const optionsFile = create(FileDescriptorProtoSchema, {
  name: 'options.proto',
  package: 'cosmos_proto',
  syntax: 'proto3',
  dependency: ['google/protobuf/descriptor.proto'],
  extension: [field('scalar', 93002, Type.STRING, { extendee: '.google.protobuf.FieldOptions' })],
});

const gogoFile = create(FileDescriptorProtoSchema, {
  name: 'gogo.proto',
  package: 'gogoproto',
  syntax: 'proto2',
  dependency: ['google/protobuf/descriptor.proto'],
  extension: [field('nullable', 65001, Type.BOOL, { extendee: '.google.protobuf.FieldOptions' })],
});

const testFile = create(FileDescriptorProtoSchema, {
  name: 'test.proto',
  package: 'test.v1',
  syntax: 'proto3',
  dependency: [
    'google/protobuf/any.proto',
    'google/protobuf/timestamp.proto',
    'google/protobuf/duration.proto',
    'options.proto',
    'gogo.proto',
  ],
  messageType: [coin, msgPay, msgExec, body, everything],
  enumType: [
    {
      name: 'Color',
      value: [
        { name: 'COLOR_UNSPECIFIED', number: 0 },
        { name: 'COLOR_RED', number: 1 },
      ],
    },
  ],
});

const standardFiles = [
  file_google_protobuf_descriptor,
  file_google_protobuf_any,
  file_google_protobuf_timestamp,
  file_google_protobuf_duration,
];

export const registry: FileRegistry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [...standardFiles.map((file) => file.proto), optionsFile, gogoFile, testFile],
  }),
);

/** A message type of the test file by its short name. */
export function descOf(name: string): DescMessage {
  const desc = registry.getMessage(`test.v1.${name}`);
  if (!desc) throw new Error(`no message ${name}`);
  return desc;
}
