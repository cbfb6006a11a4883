/** A Workload as a stack file describes it: its image, connections, volumes, files and health. */
import * as z from 'zod';
import { compute, infrastructureNames, name } from './common-schema.ts';
import { env } from './env-schema.ts';
import { count, durationMs, field, list, oneOf, record, size, text } from './fields.ts';
import { maxMountedFiles, sourcePattern } from './mount-paths.ts';

const mib = 1024n * 1024n;
const gib = 1024n * mib;
const tib = 1024n * gib;

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

/** A file that stands, read-only, in each replica; what concerns it and the others is in mounted-file-rules.ts. */
const mountedFile = record('a file', {
  source: text('the source of a file', 'the path of a file beside the stack file, without ..', sourcePattern),
  path: text('a mount path', 'an absolute path without . or .. segments', mountPathPattern),
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

export const workload = record('a Workload', {
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
  files: list('files', mountedFile, maxMountedFiles, 1).optional(),
  health: health.optional(),
  env: env.optional(),
  infrastructure: infrastructureNames,
});

/** Bytes of disk of one replica: what the stack says, else what its volumes need. */
export function diskOf(service: z.infer<typeof workload>): bigint {
  return service.compute.disk ?? (service.volumes ?? []).reduce((sum, one) => sum + one.size, 0n);
}
