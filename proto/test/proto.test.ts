import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import * as app from '../src/app.ts';
import * as billing from '../src/billing.ts';
import * as deployment from '../src/deployment.ts';
import * as market from '../src/market.ts';
import * as provider from '../src/provider.ts';
import { registry } from '../src/registry.ts';

const barrels: Record<string, Record<string, unknown>> = { app, billing, deployment, market, provider };
const MODULES = ['billing', 'deployment', 'market', 'provider'];

/** Ledger shows the amino name of a message; longer ones it refuses. */
const MAX_AMINO_NAME = 39;

const ourFiles = [...registry.files].filter((file) => file.proto.package.startsWith('mu.'));
const methodsOf = (service: string): DescMethod[] =>
  ourFiles.flatMap((file) => file.services.filter(({ name }) => name === service).flatMap(({ methods }) => methods));
const withNested = (messages: readonly DescMessage[]): DescMessage[] =>
  messages.flatMap((message) => [message, ...withNested(message.nestedMessages)]);
const ourMessages = withNested(ourFiles.flatMap((file) => file.messages));
const requests = methodsOf('Msg').map((method) => method.input);

function extension(name: string) {
  const found = registry.getExtension(name);
  if (!found) throw new Error(`no extension ${name}`);
  return found;
}
const signer = extension('cosmos.msg.v1.signer');
const msgService = extension('cosmos.msg.v1.service');
const aminoName = extension('amino.name');
const scalar = extension('cosmos_proto.scalar');
const http = extension('google.api.http');

const signersOf = (message: DescMessage): string[] => [getOption(message, signer)].flat().map(String);
const scalarOf = (field: DescField): string => String(getOption(field, scalar));

/** The GET path of a query, undefined where it has another method or none. */
function pathOf(method: DescMethod): string | undefined {
  const rule = registry.getMessage('google.api.HttpRule');
  const value = getOption(method, http);
  if (!rule || typeof value !== 'object' || value === null) return undefined;
  const get = rule.fields.find(({ name }) => name === 'get');
  const rules = reflect(rule, value as Parameters<typeof reflect>[1]);
  return get && rules.isSet(get) ? String(rules.get(get)) : undefined;
}

const duplicates = (values: readonly string[]): string[] => values.filter((value, i) => values.indexOf(value) !== i);

test('each module has transactions, queries and a genesis', () => {
  for (const module of MODULES) {
    for (const name of ['Msg', 'Query']) expect(registry.getService(`mu.${module}.v1.${name}`)).toBeDefined();
    expect(registry.getMessage(`mu.${module}.v1.GenesisState`)).toBeDefined();
  }
});

test('the standard services that clients look up by reflection are there', () => {
  const names = ['cosmos.auth.v1beta1.Query', 'cosmos.bank.v1beta1.Msg', 'cosmos.tx.v1beta1.Service'];
  for (const name of names) expect(registry.getService(name)).toBeDefined();
});

describe('transactions', () => {
  test('services are marked as such, which is how explorers find messages', () => {
    const services = ourFiles.flatMap((file) => file.services.filter(({ name }) => name === 'Msg'));
    expect(services.filter((service) => getOption(service, msgService) !== true).map(String)).toEqual([]);
  });

  test.each(requests)('%s is signed by one of its addresses', (message) => {
    const signers = signersOf(message);
    expect(signers).toHaveLength(1);
    const field = message.fields.find(({ name }) => name === signers[0]);
    expect(field && { kind: field.fieldKind, scalar: scalarOf(field) }).toEqual({
      kind: 'scalar',
      scalar: 'cosmos.AddressString',
    });
  });

  test.each(requests)('%s has an amino name that a Ledger shows', (message) => {
    expect(hasOption(message, aminoName)).toBe(true);
    expect(String(getOption(message, aminoName)).length).toBeLessThanOrEqual(MAX_AMINO_NAME);
    expect(String(getOption(message, aminoName))).toMatch(/^mu\//);
  });

  test('amino names are unique, those of the standard modules included', () => {
    const all = withNested([...registry.files].flatMap((file) => file.messages));
    const names = all.filter((message) => hasOption(message, aminoName)).map((m) => String(getOption(m, aminoName)));
    expect(names.length).toBeGreaterThan(requests.length);
    expect(duplicates(names)).toEqual([]);
  });
});

describe('queries', () => {
  const queries = methodsOf('Query');

  test.each(queries)('%s has a GET path whose parameters are fields of the request', (method) => {
    const path = pathOf(method);
    expect(path).toMatch(/^\/mu\/[a-z]+\/v1(\/[a-z0-9_]+|\/\{[a-z0-9_.]+\})+$/);
    for (const [, parameter = ''] of path?.matchAll(/\{(.+?)\}/g) ?? []) {
      const [first, second] = parameter.split('.');
      const field = method.input.fields.find(({ name }) => name === first);
      const leaf = second === undefined ? field : field?.message?.fields.find(({ name }) => name === second);
      expect([parameter, leaf?.fieldKind]).toEqual([parameter, expect.stringMatching(/^(scalar|enum)$/)]);
    }
  });

  test('no two have paths that match the same request', () => {
    const shapes = queries.map((method) => (pathOf(method) ?? '').replace(/\{.+?\}/g, '{}'));
    expect(shapes.length).toBeGreaterThan(0);
    expect(duplicates(shapes)).toEqual([]);
  });
});

describe('fields', () => {
  test('no field is a map: its order on the wire is not defined', () => {
    const fields = ourMessages.flatMap((message) => message.fields);
    expect(fields.length).toBeGreaterThan(0);
    expect(fields.filter((field) => field.fieldKind === 'map').map(String)).toEqual([]);
  });

  test('none is a float, which determinism forbids', () => {
    const floats = ourMessages.flatMap(({ fields }) => fields.filter((f) => f.proto.type === 1 || f.proto.type === 2));
    expect(floats.map(String)).toEqual([]);
  });
});

describe('generated TypeScript', () => {
  test.each(ourMessages.filter(({ parent }) => !parent))('%s is exported by its module', (message) => {
    const module = message.file.proto.package.split('.')[1] ?? '';
    expect(barrels[module]?.[message.name]).toMatchObject({ $type: message.typeName });
  });

  test('a message keeps all 64 bits and numbers of an enum that it does not know', () => {
    const written = provider.PriceList.fromPartial({ provider: 'mu1', version: 2n ** 64n - 1n, height: -(2n ** 63n) });
    expect(provider.PriceList.decode(provider.PriceList.encode(written).finish())).toEqual(written);
    const state = registry.getMessage('mu.provider.v1.Provider')?.fields.find(({ name }) => name === 'state');
    const bytes = Uint8Array.of(((state?.number ?? 0) << 3) | 0, 99);
    expect(provider.Provider.decode(bytes).state).toBe(99);
    expect(provider.Provider.encode(provider.Provider.decode(bytes)).finish()).toEqual(bytes);
  });
});
