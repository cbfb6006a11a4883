/** The schema of a stack file (design §8). What concerns several fields at once stands in rules.ts. */
import { hostNamePattern, maxHostNames } from '@mu/lib/host-name';
import * as z from 'zod';
import {
  count,
  cpu,
  dictionary,
  durationMs,
  field,
  flag,
  list,
  oneOf,
  price,
  record,
  size,
  text,
  whole,
} from './fields.ts';
import { say, shown } from './problems.ts';

const kib = 1024n;
const mib = kib * kib;
const gib = kib * mib;
const tib = kib * gib;
const maxU64 = (1n << 64n) - 1n;

/** The types of services by the name under which providers offer them. */
export const serviceKinds = {
  MuFunction: 'mu-function',
  MuGateway: 'mu-gateway',
  MuDb: 'mu-db',
  MuStore: 'mu-store',
  Workload: 'mu-workload',
} as const;

export type ServiceType = keyof typeof serviceKinds;

/** Methods that a route may name. HEAD follows GET by itself (runtime's contract), and may not be named. */
export const httpMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type HttpMethod = (typeof httpMethods)[number];

/** The longest that a function may run. */
export const maxFunctionTimeoutMs = 300_000;
export const defaultFunctionTimeoutMs = 30_000;
export const defaultFunctionMemory = 128n * mib;

/** Names of services and infrastructures: they become labels of host names, so no capitals. */
export const namePattern = /^[a-z][a-z0-9_-]{0,63}$/;
const nameAllowed = 'a lower-case letter, then lower-case letters, digits, - and _, at most 64';
const name = (what: string) => text(what, nameAllowed, namePattern);

/** Environment variables' names. */
export const envNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
/** Bytes of one environment variable's value, at most. */
export const maxEnvValueBytes = 32 * 1024;
/** Environment variables of one service, at most. */
export const maxEnvEntries = 256;
const envNameAllowed = 'letters, digits and _, not beginning with a digit, at most 128';
const envValue = field(
  'an environment variable’s value',
  `a text of at most ${maxEnvValueBytes} bytes, a number, true or false; "" for an empty one`,
  (value) => {
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    return typeof value === 'string' && Buffer.byteLength(value) <= maxEnvValueBytes ? value : undefined;
  },
);
const envMap = dictionary('an environment', envNamePattern, envNameAllowed, envValue);
/** A list of maps, or one map; rules.ts refuses a name that is given twice. */
const env = z
  .unknown()
  .transform((value, context) => {
    if (Array.isArray(value) || (typeof value === 'object' && value !== null)) return value;
    context.issues.push({
      code: 'custom',
      message: say(`${shown(value)} is not an environment`, 'a map NAME: value, or a list of such maps'),
      input: value,
    });
    return z.NEVER;
  })
  .pipe(z.any().superRefine(checkEnv).transform(joinEnv));

function checkEnv(value: unknown, context: z.RefinementCtx): void {
  const maps = Array.isArray(value) ? value.map((map, i) => ({ map, path: [i] })) : [{ map: value, path: [] }];
  for (const { map, path } of maps) {
    for (const issue of envMap.safeParse(map).error?.issues ?? []) {
      context.addIssue({ ...issue, path: [...path, ...issue.path], input: undefined } as never);
    }
  }
  const entries = maps.reduce((sum, { map }) => sum + Object.keys((map as object | null) ?? {}).length, 0);
  if (entries > maxEnvEntries) {
    context.addIssue({ code: 'custom', message: say(`${entries} environment variables`, `at most ${maxEnvEntries}`) });
  }
}

function joinEnv(value: unknown): Record<string, string> {
  const maps = (Array.isArray(value) ? value : [value]) as Record<string, unknown>[];
  const entries = maps.flatMap((map) => Object.entries(map)).map(([key, item]) => [key, String(item)] as const);
  return Object.fromEntries(entries);
}

const infrastructureNames = list(
  'the infrastructures of a service',
  name('the name of an infrastructure'),
  16,
  1,
).optional();

const binary = text(
  'a binary',
  'a path, or an http(s) URL, that ends in .wasm or .tar.gz',
  /^(?:https?:\/\/[^\s/?#@]+\/[^\s?#]*\.(?:wasm|tar\.gz|tgz)(?:\?[^\s#]*)?|(?![a-z][a-z0-9+.-]*:\/\/)\P{Cc}{0,1000}\.(?:wasm|tar\.gz|tgz))$/iu,
);

const muFunction = record('a MuFunction', {
  type: z.literal('MuFunction'),
  name: name('the name of a service'),
  binary,
  runtime: oneOf('a runtime', ['wasi1.0']),
  env: env.optional(),
  memory: size('a memory size', mib, 4n * gib).optional(),
  timeout: durationMs('a time limit', maxFunctionTimeoutMs).optional(),
  infrastructure: infrastructureNames,
});

const methods = field('the method of an endpoint', `${httpMethods.join(', ')}, or a list of them`, (value) => {
  const words = Array.isArray(value) ? value : [value];
  const known = words.filter((word): word is HttpMethod => httpMethods.includes(word as HttpMethod));
  const all = known.length === words.length && known.length > 0 && new Set(known).size === known.length;
  return all ? known : undefined;
});

/** `/a/b` matches exactly, `/a/...` all below. No empty, dot or encoded segments: one path has one spelling. */
export const routePattern =
  /^(?=.{1,256}$)(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+(?:\/\.\.\.)?|\/\.\.\.)$/;
const pathAllowed =
  "/ and segments of letters, digits and -._~!$&'()*+,;=:@, no . or .. segment, no / at the end; /... at the end for all below";

/** Endpoints of one gateway, at most. */
export const maxEndpoints = 1_000;
const inRange = (count: number, most: number): boolean => count >= 1 && count <= most;

const muGateway = record('a MuGateway', {
  type: z.literal('MuGateway'),
  name: name('the name of a service'),
  endpoints: dictionary(
    'endpoints',
    routePattern,
    pathAllowed,
    record('an endpoint', {
      /** Every method where it is left out. */
      type: methods.optional(),
      route_to: name('the name of a MuFunction or Workload'),
      /** Of a Workload; its only http connection's where it is left out. */
      port: count('a port', 1, 65_535).optional(),
    }),
  ).refine((endpoints) => inRange(Object.keys(endpoints).length, maxEndpoints), {
    error: say('too few or too many endpoints', `1 to ${maxEndpoints}`),
  }),
  /** Names of your own, beside the provider's; each is served once its TXT record `_mu.<host>` proves it. */
  hosts: list(
    'hosts',
    text('a host name', 'a name in lower case like shop.example.org', hostNamePattern),
    maxHostNames,
    1,
  ).optional(),
  infrastructure: infrastructureNames,
});

const muDb = record('a MuDb', {
  type: z.literal('MuDb'),
  name: name('the name of a service'),
  infrastructure: infrastructureNames,
});
const muStore = record('a MuStore', {
  type: z.literal('MuStore'),
  name: name('the name of a service'),
  infrastructure: infrastructureNames,
});

const word = (what: string) =>
  text(what, 'lower-case letters, digits, . / and -, at most 64', /^[a-z0-9][a-z0-9./-]{0,63}$/);

const compute = record('compute', {
  cpu: cpu(),
  memory: size('a memory size', mib, 16n * tib),
  disk: size('a disk size', 0n, 1024n * tib).optional(),
  gpu: record('a gpu', {
    count: count('a number of gpus', 1, 64),
    vendor: word('a vendor').optional(),
    model: word('a model').optional(),
  }).optional(),
});

const connection = record('a connection', {
  name: name('the name of a connection'),
  port: count('a port', 1, 65_535),
  protocol: oneOf('a protocol', ['tcp', 'udp', 'http']),
  scope: oneOf('the scope of a connection', ['workload', 'datacenter', 'global']),
  /** Who may connect: Workloads for the scope workload, infrastructures for datacenter; all of the stack's where left out. */
  from: list('from', name('the name of a Workload or an infrastructure'), 64, 1).optional(),
});

/** Where a volume may be mounted. */
export const mountPathPattern = /^(?=.{2,256}$)(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)+$/;
/** What a health check may ask for. */
export const healthPathPattern = /^\/[A-Za-z0-9._~!$&'()*+,;=:@/%-]{0,255}$/;

const volume = record('a volume', {
  name: name('the name of a volume'),
  path: text('a mount path', 'an absolute path without . or .. segments', mountPathPattern),
  size: size('a volume size', mib, 1024n * tib),
});

const health = record('a health check', {
  path: text('a path', 'an absolute URL path', healthPathPattern),
  port: count('a port', 1, 65_535),
  interval: durationMs('an interval', 3_600_000).optional(),
});

/** An image as a manifest names it: by digest, so that all providers run the same. */
export const imagePattern = /^(?=.{1,512}$)[a-z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}$/;

/** An image that comes with the manifest is named by its archive: `manifest:images/web.tar`. */
export const archivePrefix = 'manifest:';

const imageAllowed =
  'an image like registry/name:tag or registry/name@sha256:…, or manifest:FILE.tar for an OCI archive beside the stack file';

const credentials = record('the account at a registry', {
  username: text('a user name', 'a text of at most 256 characters without colons', /^[^\p{Cc}:]{1,256}$/u),
  password: text('a password', 'a text of at most 8192 characters', /^\P{Cc}{1,8192}$/u),
});

/** `1000` or `1000:1000`; YAML reads the first as a number and the second as a text. */
const user = field('a user', 'uid or uid:gid in numbers above 0, like 1000:1000', (value) =>
  /^[1-9]\d{0,8}(?::[1-9]\d{0,8})?$/.test(String(value)) ? String(value) : undefined,
);

const workload = record('a Workload', {
  type: z.literal('Workload'),
  name: name('the name of a service'),
  container: text(
    'a container image',
    imageAllowed,
    /^(?=.{1,512}$)(?:manifest:[^\p{Cc}]{1,480}\.tar|(?!manifest:)[a-z0-9][a-zA-Z0-9._:/-]*(?:@sha256:[0-9a-f]{64})?)$/u,
  ),
  /** Instead of the image's own. */
  command: list(
    'a command',
    text('a word of a command', 'a text of at most 4096 characters', /^[^\0]{1,4096}$/),
    64,
    1,
  ).optional(),
  user: user.optional(),
  /** For images that not everybody may pull. */
  registry: credentials.optional(),
  compute,
  count: count('a number of replicas', 1, 1000).optional(),
  connections: list('connections', connection, 64).optional(),
  egress: oneOf('egress', ['none', 'public']).optional(),
  volumes: list('volumes', volume, 16).optional(),
  health: health.optional(),
  env: env.optional(),
  infrastructure: infrastructureNames,
});

const serviceTypes = Object.keys(serviceKinds).join(', ');
const service = z.discriminatedUnion('type', [muFunction, muGateway, muDb, muStore, workload], {
  error: (issue) => {
    const input = issue.input as { type?: unknown } | undefined;
    if (issue.code !== 'invalid_union')
      return say(`${shown(input)} is not a service`, `a map with a type: ${serviceTypes}`);
    const type = input?.type;
    return say(type === undefined ? 'type is missing' : `${shown(type)} is not a type of service`, serviceTypes);
  },
});

/** Bytes of disk of one replica: what the stack says, else what its volumes need. */
export function diskOf(service: z.infer<typeof workload>): bigint {
  return service.compute.disk ?? (service.volumes ?? []).reduce((sum, one) => sum + one.size, 0n);
}

/** Metrics' names on the chain. */
const metric = () => text('a metric', 'a name like function-invocations', /^[a-z][a-z0-9-]{0,63}$/);
const address = (what: string) => text(what, 'a bech32 address', /^[a-z][a-z0-9]{0,82}1[02-9ac-hj-np-z]{38,90}$/);

/** Standbys of one infrastructure, at most. */
export const maxStandbys = 4;

const resource = record('a resource', {
  compute,
  price: price('a price per block'),
  collateral: whole('a collateral', 0n, (1n << 256n) - 1n).optional(),
  count: count('a number of replicas', 1, 10_000).optional(),
});

const infrastructure = record('an infrastructure', {
  name: name('the name of an infrastructure'),
  region: text('a region', 'the name of a region', /^[a-z0-9][a-z0-9._-]{0,63}$/),
  provider: address('a provider').optional(),
  excluded_providers: list('excluded providers', address('a provider'), 64).optional(),
  persist: flag('persist').optional(),
  share: oneOf('whom the key of the secrets is shared with', ['lease', 'all']).optional(),
  /** Further leases that hold the manifest and run nothing (standby.ts). */
  standby: count('a number of standbys', 0, maxStandbys).optional(),
  /** Of each of them; a tenth of the infrastructure's where it is left out. */
  standby_price: price('a price per block').optional(),
  services: list(
    'the services of an infrastructure',
    text('a type of service', Object.values(serviceKinds).join(', '), /^[a-z][a-z0-9-]{0,63}$/),
    32,
  ).optional(),
  attributes: dictionary(
    'attributes',
    /^[a-z0-9./-]{1,64}$/,
    'lower-case letters, digits, . / and -, at most 64',
    text('an attribute', 'a text of at most 128 printable ASCII characters', /^[\x20-\x7e]{1,128}$/),
  ).optional(),
  audited_by: list('auditors', address('an auditor'), 16).optional(),
  resources: list('resources', resource, 16, 1),
  usage_limits: list(
    'usage limits',
    record('a usage limit', {
      metric: metric(),
      max_price: price('a price'),
      per: whole('the number of base units of a price', 1n, maxU64).optional(),
      max_quantity_per_block: whole('a quantity per block', 1n, maxU64),
    }),
    64,
  ).optional(),
  expected_usage: list(
    'expected usage',
    record('an expected usage', {
      metric: metric(),
      quantity_per_block: whole('a quantity per block', 1n, maxU64),
    }),
    64,
  ).optional(),
});

/** The whole file. */
export const stackSchema = record('a stack file', {
  name: text(
    'the name of the stack',
    'a letter or digit, then letters, digits, space and ._-, at most 64',
    /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/,
  ),
  version: field('a version', 'a number like 0.1 or a text of letters, digits and .+-, at most 64', (value) => {
    const written = typeof value === 'number' ? String(value) : value;
    return typeof written === 'string' && /^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$/.test(written) ? written : undefined;
  }),
  services: list('services', service, 256, 1),
  infrastructure: list('infrastructure', infrastructure, 16, 1).optional(),
});

type Parsed = z.infer<typeof stackSchema>;
/** A stack file as the schema reads it: sizes in bytes, times in milliseconds, prices as Dec, processors in thousandths. */
export interface Stack extends Parsed {}
export type Service = Stack['services'][number];
export type FunctionService = Extract<Service, { type: 'MuFunction' }>;
export type GatewayService = Extract<Service, { type: 'MuGateway' }>;
export type WorkloadService = Extract<Service, { type: 'Workload' }>;
export type StackInfrastructure = NonNullable<Stack['infrastructure']>[number];
export type StackCompute = z.infer<typeof compute>;
