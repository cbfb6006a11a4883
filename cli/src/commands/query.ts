/**
 * mucli query MODULE METHOD [ARGUMENTS] [--field value]: every query of every Mu module, of upgrade and of consensus, read off the .proto files. What
 * stands in the REST path is an argument, all other fields are options; the answer is the module's own JSON.
 */
import { type DescField, type DescMethod, getOption, ScalarType } from '@bufbuild/protobuf';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { jsonToMessage, messageToJson } from '@mu/lib/proto-json';
import { registry } from '@mu/proto/registry';
import { CliError, usageError } from '../errors.ts';
import type { Session } from '../session.ts';
import { packageOf } from './packages.ts';

const modules = ['provider', 'deployment', 'market', 'billing', 'upgrade', 'consensus'] as const;

/** Names that the Go SDK's command line has for the same. */
const aliases: Readonly<Record<string, string>> = { plan: 'current-plan', applied: 'applied-plan' };

type JsonValue = Parameters<typeof jsonToMessage>[2];

/** What a query takes. */
interface QueryForm {
  readonly method: DescMethod;
  readonly name: string;
  readonly positional: readonly DescField[];
  readonly options: readonly DescField[];
}

export async function runQuery(session: Session, words: readonly string[]): Promise<void> {
  const [module, name, ...rest] = words;
  const forms = formsOf(module);
  const form = forms.find((one) => one.name === name || one.name === aliases[name ?? '']);
  if (form === undefined)
    throw usageError(
      `${name === undefined ? 'what?' : `${module} has no query "${name}"`}\n${helpOf(module as string, forms)}`,
    );
  const request = readRequest(form, rest);
  const path = `/${form.method.parent.typeName}/${form.method.name}`;
  let data: Uint8Array;
  try {
    data = jsonToMessage(registry, form.method.input.typeName, request);
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error));
  }
  const client = await clientFor(session, path);
  const answer = messageToJson(registry, form.method.output.typeName, await client.query(path, data));
  session.output.result(answer, () => JSON.stringify(answer, null, 2));
}

/** Single records are proved; of the rest it is said that it is not. */
async function clientFor(session: Session, path: string): Promise<ChainClient> {
  const { isProved } = await import('@mu/client/light/verified-querier');
  if (isProved(path) || session.config.trust_node === 'true') return session.verified();
  session.output.step('not verified: only single records have proofs, lists and computed answers are as the node says');
  return session.client();
}

function formsOf(module: string | undefined): QueryForm[] {
  if (module === undefined || !(modules as readonly string[]).includes(module)) {
    throw usageError(
      `${module === undefined ? 'which module?' : `there is no module "${module}"`} There are: bank, ${modules.join(', ')}`,
    );
  }
  const service = registry.getService(`${packageOf(module)}.Query`);
  if (service === undefined) throw new CliError(`${packageOf(module)}.Query is not known`);
  return service.methods.map((method) => {
    const inPath = [...httpPath(method).matchAll(/\{(\w+)\}/g)].map(([, field]) => field as string);
    const positional = inPath.map((field) => method.input.fields.find((one) => one.name === field) as DescField);
    return {
      method,
      name: kebab(method.name),
      positional,
      options: method.input.fields.filter((field) => !inPath.includes(field.name)),
    };
  });
}

/** The path of the annotation google.api.http. */
function httpPath(method: DescMethod): string {
  const extension = registry.getExtension('google.api.http');
  if (extension === undefined) return '';
  const rule = getOption(method, extension) as { pattern?: { value?: unknown } };
  return String(rule.pattern?.value ?? '');
}

function readRequest(form: QueryForm, words: readonly string[]): { [key: string]: JsonValue } {
  const request: { [key: string]: JsonValue } = {};
  const positional = [...form.positional];
  const left = [...words];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (!word.startsWith('--')) {
      const field = positional.shift();
      if (field === undefined) throw usageError(`"${word}" is one argument too many\n${usageOf(form)}`);
      request[field.name] = fieldValue(field, word);
      continue;
    }
    const [flag = '', inline] = word.slice(2).split('=', 2);
    const value = inline ?? left.shift();
    if (value === undefined) throw usageError(`--${flag} needs a value\n${usageOf(form)}`);
    setOption(form, request, flag, value);
  }
  if (positional.length > 0)
    throw usageError(`${positional.map(({ name }) => name.toUpperCase()).join(', ')} is missing\n${usageOf(form)}`);
  return request;
}

/** Fields of pagination are options of their own: --limit, --offset, --reverse, --count-total, --key. */
function setOption(form: QueryForm, request: { [key: string]: JsonValue }, flag: string, text: string): void {
  const name = flag.replaceAll('-', '_');
  const field = form.options.find((one) => one.name === name && one.message === undefined);
  if (field !== undefined) {
    request[field.name] = fieldValue(field, text);
    return;
  }
  for (const outer of form.options) {
    const inner = outer.message?.fields.find((one) => one.name === name);
    if (inner === undefined) continue;
    request[outer.name] = { ...(request[outer.name] as object | undefined), [inner.name]: fieldValue(inner, text) };
    return;
  }
  throw usageError(`unknown option --${flag}\n${usageOf(form)}`);
}

/** A field's value in protobuf JSON from what was typed. Enums may be typed without their prefix: `open`. */
function fieldValue(field: DescField, text: string): JsonValue {
  if (field.fieldKind === 'enum') {
    const names = field.enum.values.map(({ name }) => name);
    const found = names.find((name) => name === text || name.endsWith(`_${text.toUpperCase().replaceAll('-', '_')}`));
    if (found === undefined) throw usageError(`${field.name}: "${text}" is not allowed; allowed: ${names.join(', ')}`);
    return found;
  }
  if (field.scalar === ScalarType.BOOL) return text === 'true';
  return text;
}

function helpOf(module: string, forms: readonly QueryForm[]): string {
  return [`queries of ${module}:`, ...forms.map((form) => `  ${usageOf(form).replace('usage: ', '')}`)].join('\n');
}

function usageOf(form: QueryForm): string {
  const module = form.method.parent.typeName.split('.')[1];
  const args = form.positional.map(({ name }) => name.toUpperCase());
  const options = form.options.flatMap((field) =>
    (field.message?.fields ?? [field]).map(({ name }) => `[--${name.replaceAll('_', '-')}]`),
  );
  return ['usage: mucli query', module, form.name, ...args, ...options].join(' ');
}

function kebab(name: string): string {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();
}
