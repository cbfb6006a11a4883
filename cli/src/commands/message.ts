/**
 * mucli tx MODULE MESSAGE [FILE] [--field value]: one message of a module, its fields as options, from a JSON file in the form
 * of its .proto, or both, so that every message can be sent; the field of the signer is filled in.
 */

import { readFileSync } from 'node:fs';
import { type DescMethod, getOption } from '@bufbuild/protobuf';
import { messageOf } from '@mu/lib/error-message';
import { jsonToMessage } from '@mu/lib/proto-json';
import { registry } from '@mu/proto/registry';
import { usageError } from '../errors.ts';
import type { Session } from '../session.ts';
import { packageOf } from './packages.ts';
import { type FieldForm, type JsonFields, readFields, usageOf } from './proto-fields.ts';
import { reportTx } from './tx.ts';

/** @param words the module's message, `publish-price-list`, then what it says */
export async function sendMessage(session: Session, module: string, words: readonly string[]): Promise<void> {
  const [verb, ...rest] = words;
  const method = methodOf(module, verb);
  const signer = signerField(method);
  const form = formOf(module, verb as string, method, signer);
  const [file, typed] = rest[0]?.startsWith('--') === false ? [rest[0], rest.slice(1)] : [undefined, rest];
  const said = { ...(file === undefined ? {} : readJson(file)), ...readFields(form, typed) };
  if (Object.keys(said).length === 0 && form.options.length > 0)
    throw usageError(`the message is missing: name a JSON file, - for standard input, or its fields\n${usageOf(form)}`);
  const sender = await session.sender();
  let value: Uint8Array;
  try {
    value = jsonToMessage(registry, method.input.typeName, { [signer]: sender.address, ...said });
  } catch (error) {
    const fields = method.input.fields.map(({ name }) => name).join(', ');
    throw usageError(`${file ?? verb}: ${messageOf(error)}; fields: ${fields}`);
  }
  const { muTypes, standardTypes } = await import('@mu/client/chain/registry');
  const typeUrl = `/${method.input.typeName}`;
  const codec = [...muTypes(), ...standardTypes()].find(([url]) => url === typeUrl)?.[1] as {
    decode(bytes: Uint8Array): unknown;
  };
  reportTx(session, await sender.sendAndWait([{ typeUrl, value: codec.decode(value) }]));
}

function formOf(module: string, verb: string, method: DescMethod, signer: string): FieldForm {
  const options = method.input.fields.filter(({ name }) => name !== signer);
  return { command: `mucli tx ${module} ${verb} [FILE]`, positional: [], options };
}

function methodOf(module: string, verb: string | undefined): DescMethod {
  const methods = registry.getService(`${packageOf(module)}.Msg`)?.methods ?? [];
  const named = methods.map(
    (method) => [method.name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase(), method] as const,
  );
  const found = named.find(([name]) => name === verb);
  if (found === undefined)
    throw usageError(
      `${verb === undefined ? 'what?' : `${module} has no message "${verb}"`} There are: ${named.map(([name]) => name).join(', ')}`,
    );
  return found[1];
}

function signerField(method: DescMethod): string {
  const option = registry.getExtension('cosmos.msg.v1.signer');
  return option === undefined ? '' : ((getOption(method.input, option) as readonly string[])[0] ?? '');
}

function readJson(file: string): JsonFields {
  let text: string;
  try {
    text = readFileSync(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch {
    throw usageError(`${file} cannot be read`);
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as JsonFields;
  } catch (error) {
    throw usageError(`${file} is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
  throw usageError(`${file} is not a JSON object`);
}
