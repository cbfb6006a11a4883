/**
 * mucli query MODULE METHOD [ARGUMENTS] [--field value]: every query of every Mu module, of upgrade and of consensus, read off the .proto files. What
 * stands in the REST path is an argument, all other fields are options; the answer is the module's own JSON. A list comes in
 * pages (`--limit`, `--page-key`), or whole with `--all`.
 */

import { type DescField, type DescMethod, getOption } from '@bufbuild/protobuf';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { messageOf } from '@mu/lib/error-message';
import { jsonToMessage, messageToJson } from '@mu/lib/proto-json';
import { registry } from '@mu/proto/registry';
import { CliError, usageError } from '../errors.ts';
import type { Session } from '../session.ts';
import { packageOf } from './packages.ts';
import { type FieldForm, type JsonFields, type JsonValue, readFields, usageOf } from './proto-fields.ts';

const modules = ['provider', 'deployment', 'market', 'billing', 'upgrade', 'consensus'] as const;

/** Names that the Go SDK's command line has for the same. */
const aliases: Readonly<Record<string, string>> = { plan: 'current-plan', applied: 'applied-plan' };

/** What a query takes. */
interface QueryForm extends FieldForm {
  readonly method: DescMethod;
  readonly name: string;
}

export async function runQuery(session: Session, words: readonly string[]): Promise<void> {
  const [module, name, ...typed] = words;
  const forms = formsOf(module);
  const form = forms.find((one) => one.name === name || one.name === aliases[name ?? '']);
  if (form === undefined)
    throw usageError(
      `${name === undefined ? 'what?' : `${module} has no query "${name}"`}\n${helpOf(module as string, forms)}`,
    );
  const isWhole = typed.includes('--all');
  const request = readFields(
    form,
    typed.filter((word) => word !== '--all'),
  );
  const answer = isWhole ? await askAll(session, form, request) : await ask(session, form, request);
  session.output.result(answer, () => JSON.stringify(answer, null, 2));
}

async function ask(session: Session, { method }: QueryForm, request: JsonFields): Promise<JsonFields> {
  const path = `/${method.parent.typeName}/${method.name}`;
  let data: Uint8Array;
  try {
    data = jsonToMessage(registry, method.input.typeName, request);
  } catch (error) {
    throw usageError(messageOf(error));
  }
  const client = await clientFor(session, path);
  return messageToJson(registry, method.output.typeName, await client.query(path, data)) as JsonFields;
}

/** All pages as one answer. @throws CliError for a query that has no pages */
async function askAll(session: Session, form: QueryForm, request: JsonFields): Promise<JsonFields> {
  if (!form.options.some(({ name }) => name === 'pagination'))
    throw usageError(`${form.name} has no pages: leave --all out`);
  let whole: JsonFields | undefined;
  for (let key: JsonValue = null; whole === undefined || key !== null; ) {
    const pagination: JsonFields = { limit: '1000', ...(request['pagination'] as JsonFields | undefined) };
    const page = await ask(session, form, {
      ...request,
      pagination: key === null ? pagination : { ...pagination, key },
    });
    key = (page['pagination'] as JsonFields | null)?.['next_key'] ?? null;
    whole = whole === undefined ? page : joined(whole, page);
  }
  return whole;
}

/** The lists of two pages after one another. */
function joined(before: JsonFields, page: JsonFields): JsonFields {
  const entries = Object.entries(page).map(([name, value]): [string, JsonValue] => {
    const first = before[name];
    return [name, Array.isArray(value) && Array.isArray(first) ? [...first, ...value] : value];
  });
  return Object.fromEntries(entries);
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
    const name = kebab(method.name);
    return {
      method,
      name,
      command: `mucli query ${module} ${name}`,
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

function helpOf(module: string, forms: readonly QueryForm[]): string {
  return [`queries of ${module}:`, ...forms.map((form) => `  ${usageOf(form).replace('usage: ', '')}`)].join('\n');
}

function kebab(name: string): string {
  return name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();
}
