/** MuFunction, MuGateway and what stores for them, as a stack file describes them. */
import { hostNamePattern, maxHostNames } from '@mu/lib/host-name';
import * as z from 'zod';
import { infrastructureNames, name } from './common-schema.ts';
import { env } from './env-schema.ts';
import { count, dictionary, durationMs, field, list, oneOf, record, size, text } from './fields.ts';
import { say } from './problems.ts';

const mib = 1024n * 1024n;
const gib = 1024n * mib;

/** Methods that a route may name. HEAD follows GET by itself (runtime's contract), and may not be named. */
export const httpMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type HttpMethod = (typeof httpMethods)[number];

/** The longest that a function may run. */
export const maxFunctionTimeoutMs = 300_000;
export const defaultFunctionTimeoutMs = 30_000;
export const defaultFunctionMemory = 128n * mib;

const binary = text(
  'a binary',
  'a path, or an http(s) URL, that ends in .wasm or .tar.gz',
  /^(?:https?:\/\/[^\s/?#@]+\/[^\s?#]*\.(?:wasm|tar\.gz|tgz)(?:\?[^\s#]*)?|(?![a-z][a-z0-9+.-]*:\/\/)\P{Cc}{0,1000}\.(?:wasm|tar\.gz|tgz))$/iu,
);

export const muFunction = record('a MuFunction', {
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

export const muGateway = record('a MuGateway', {
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

export const muDb = record('a MuDb', {
  type: z.literal('MuDb'),
  name: name('the name of a service'),
  infrastructure: infrastructureNames,
});
export const muStore = record('a MuStore', {
  type: z.literal('MuStore'),
  name: name('the name of a service'),
  infrastructure: infrastructureNames,
});
