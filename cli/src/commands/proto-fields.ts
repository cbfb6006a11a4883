/** What is typed on the command line as fields of a message, read off the .proto files: `--region local --attribute a=b`. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import type { jsonToMessage } from '@mu/lib/proto-json';
import { usageError } from '../errors.ts';

export type JsonValue = Parameters<typeof jsonToMessage>[2];
export type JsonFields = { [name: string]: JsonValue };

/** What a command takes. */
export interface FieldForm {
  /** `mucli query market order` */
  readonly command: string;
  readonly positional: readonly DescField[];
  readonly options: readonly DescField[];
}

const pageRequest = 'cosmos.base.query.v1beta1.PageRequest';
const coin = 'cosmos.base.v1beta1.Coin';

/**
 * Reads words into the JSON of a message: arguments first, then options in any order; a repeated field may come more than
 * once. A flag without a value is true.
 * @throws CliError with the usage
 */
export function readFields(form: FieldForm, words: readonly string[]): JsonFields {
  const fields: JsonFields = {};
  const positional = [...form.positional];
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word.startsWith('--')) readOption(form, fields, word.slice(2), left);
    else readArgument(form, fields, positional, word);
  }
  if (positional.length > 0)
    throw usageError(`${positional.map(({ name }) => name.toUpperCase()).join(', ')} is missing\n${usageOf(form)}`);
  return fields;
}

function readArgument(form: FieldForm, fields: JsonFields, positional: DescField[], word: string): void {
  const field = positional.shift();
  if (field === undefined) throw usageError(`"${word}" is one argument too many\n${usageOf(form)}`);
  fields[field.name] = fieldValue(field, word);
}

function readOption(form: FieldForm, fields: JsonFields, word: string, left: string[]): void {
  const at = word.indexOf('=');
  const [flag, inline] = at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
  const found = findOption(form, flag);
  if (found === undefined) throw usageError(`unknown option --${flag}\n${usageOf(form)}`);
  const isBare = found.field.scalar === ScalarType.BOOL && (left[0] === undefined || left[0].startsWith('--'));
  const text = inline ?? (isBare ? 'true' : left.shift());
  if (text === undefined) throw usageError(`--${flag} needs a value\n${usageOf(form)}`);
  const { field, within } = found;
  const value = fieldValue(field, text);
  if (within !== undefined) fields[within.name] = { ...(fields[within.name] as JsonFields), [field.name]: value };
  else if (field.fieldKind === 'list' && !Array.isArray(value))
    fields[field.name] = [...((fields[field.name] as JsonValue[] | undefined) ?? []), value];
  else fields[field.name] = value;
}

interface FoundOption {
  readonly field: DescField;
  /** the message field that it is a part of */
  readonly within?: DescField;
}

/** A field by its flag: its own name, one of a list in the singular, or a part of a message that it names. */
function findOption({ options }: FieldForm, flag: string): FoundOption | undefined {
  const own = options.find((field) => flagOf(field) === flag || kebab(field.name) === flag);
  if (own !== undefined && own.message?.typeName !== pageRequest) return { field: own };
  for (const within of options.filter((field) => field.fieldKind === 'message' && hasParts(field.message))) {
    const field = within.message?.fields.find((inner) => partFlag(within.message, inner) === flag);
    if (field !== undefined) return { field, within };
  }
  return undefined;
}

const kebab = (name: string): string => name.replaceAll('_', '-');
const hasParts = (message: DescMessage | undefined): boolean => message?.typeName !== coin;
const isPair = (message: DescMessage | undefined): boolean =>
  message !== undefined && message.fields.map(({ name }) => name).join() === 'key,value';

/** `attributes` is `--attribute`, once for each; other fields have their names. */
function flagOf(field: DescField): string {
  return kebab(field.fieldKind === 'list' && field.name.endsWith('s') ? field.name.slice(0, -1) : field.name);
}

/** `--key` names the key that signs, so the key of a page is `--page-key`. */
function partFlag(message: DescMessage | undefined, field: DescField): string {
  return message?.typeName === pageRequest && field.name === 'key' ? 'page-key' : kebab(field.name);
}

/**
 * A field's value in protobuf JSON from what was typed: enums without their prefix (`open`), coins as `10umu`, pairs as
 * `key=value`, other messages as JSON.
 * @throws CliError
 */
export function fieldValue(field: DescField, text: string): JsonValue {
  if (field.fieldKind === 'enum') return enumValue(field, text);
  const { message } = field as { readonly message?: DescMessage };
  if (message !== undefined) return messageValue(field.name, message, text);
  if (field.scalar === ScalarType.BOOL) return text === 'true';
  return text;
}

function enumValue(field: DescField & { readonly fieldKind: 'enum' }, text: string): string {
  const names = field.enum.values.map(({ name }) => name);
  const found = names.find((name) => name === text || name.endsWith(`_${text.toUpperCase().replaceAll('-', '_')}`));
  if (found === undefined) throw usageError(`${field.name}: "${text}" is not allowed; allowed: ${names.join(', ')}`);
  return found;
}

function messageValue(name: string, message: DescMessage, text: string): JsonValue {
  const amount = /^(\d+)([a-zA-Z][a-zA-Z0-9/:._-]{2,127})$/.exec(text);
  if (message.typeName === coin && amount !== null) return { amount: amount[1] as string, denom: amount[2] as string };
  if (isPair(message) && !/^[[{]/.test(text)) return pair(name, text);
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    const form = message.typeName === coin ? 'an amount like 1000umu' : `JSON of ${message.typeName}`;
    throw usageError(`${name}: "${text}" is not allowed; write ${form}`);
  }
}

/** @throws CliError where there is no `=` */
function pair(name: string, text: string): JsonFields {
  const at = text.indexOf('=');
  if (at < 1) throw usageError(`${name}: "${text}" is not allowed; write key=value`);
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

/** How the command is written. */
export function usageOf({ command, positional, options }: FieldForm): string {
  const args = positional.map(({ name }) => name.toUpperCase());
  const flags = options.flatMap((field) =>
    field.fieldKind === 'message' && hasParts(field.message)
      ? field.message.fields.map((inner) => partFlag(field.message, inner))
      : [flagOf(field)],
  );
  return ['usage:', command, ...args, ...flags.map((flag) => `[--${flag}]`)].join(' ');
}
