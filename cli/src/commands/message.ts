/**
 * mucli tx provider …, mucli tx market …, mucli tx consensus …: one message of a module from a JSON file in the form of its .proto, so that
 * every message can be sent; the field of the signer is filled in.
 */
import { readFileSync } from 'node:fs';
import { type DescMethod, getOption } from '@bufbuild/protobuf';
import { jsonToMessage } from '@mu/lib/proto-json';
import { registry } from '@mu/proto/registry';
import { usageError } from '../errors.ts';
import type { Session } from '../session.ts';
import { packageOf } from './packages.ts';
import { reportTx } from './tx.ts';

type JsonValue = Parameters<typeof jsonToMessage>[2];

/** @param verb of the module's Msg service, `publish-price-list` */
export async function sendMessage(
  session: Session,
  module: string,
  verb: string | undefined,
  file: string | undefined,
): Promise<void> {
  const method = methodOf(module, verb);
  const fields = method.input.fields.map(({ name }) => name).join(', ');
  if (file === undefined)
    throw usageError(`the message is missing: name a JSON file, - for standard input; its fields: ${fields}`);
  const sender = await session.sender();
  const json = { [signerField(method)]: sender.address, ...readJson(file) };
  let value: Uint8Array;
  try {
    value = jsonToMessage(registry, method.input.typeName, json);
  } catch (error) {
    throw usageError(`${file}: ${error instanceof Error ? error.message : String(error)}; fields: ${fields}`);
  }
  const { muTypes, standardTypes } = await import('@mu/client/chain/registry');
  const typeUrl = `/${method.input.typeName}`;
  const codec = [...muTypes(), ...standardTypes()].find(([url]) => url === typeUrl)?.[1] as {
    decode(bytes: Uint8Array): unknown;
  };
  reportTx(session, await sender.sendAndWait([{ typeUrl, value: codec.decode(value) }]));
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

function readJson(file: string): { [key: string]: JsonValue } {
  let text: string;
  try {
    text = readFileSync(file === '-' ? '/dev/stdin' : file, 'utf8');
  } catch {
    throw usageError(`${file} cannot be read`);
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as { [key: string]: JsonValue };
  } catch (error) {
    throw usageError(`${file} is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
  throw usageError(`${file} is not a JSON object`);
}
