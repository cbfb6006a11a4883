/**
 * The head of a manifest (design §6): RFC 8785 JSON that names workloads, files and encrypted sections. It is checked
 * whole before anything of it is used; its hash stands on the chain as the deployment's version.
 */
import { hostNamePattern, maxHostNames } from '@mu/lib/host-name';
import * as z from 'zod';
import { namePattern } from '../stack/common-schema.ts';
import { envNamePattern } from '../stack/env-schema.ts';
import { maxMountedFiles } from '../stack/mount-paths.ts';
import { httpMethods, maxFunctionTimeoutMs, routePattern } from '../stack/mu-services-schema.ts';
import { healthPathPattern, imagePattern, mountPathPattern } from '../stack/workload-schema.ts';

/** The head's format; another one is refused. */
export const manifestFormat = 'mu/manifest/1';

/** What a manifest may be at most. */
export const manifestLimits = {
  headBytes: 1024 * 1024,
  infrastructures: 16,
  services: 256,
  routes: 1_000,
  files: 256,
  fileBytes: 8 * 1024 ** 3,
  allFilesBytes: 16 * 1024 ** 3,
  /** A function's module: it is read whole. */
  moduleBytes: 64 * 1024 * 1024,
  /** Of all files together; what a holder keeps of each of its peers grows with them. */
  pieces: 65_536,
  /** A piece has a power of two of bytes, from `leastPieceBytes` to `mostPieceBytes`. */
  leastPieceBytes: 64 * 1024,
  mostPieceBytes: 1024 * 1024,
  /** What a builder takes, and `mostPieceBytes` for files above `largeFileBytes`. */
  pieceBytes: 256 * 1024,
  largeFileBytes: 256 * 1024 * 1024,
} as const;

const name = z.string().regex(namePattern);
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
/** A u64 of the chain, as text: JSON's numbers end at 2⁵³. */
const u64 = z
  .string()
  .regex(/^[1-9]\d{0,19}$/, { abort: true })
  .refine((text) => BigInt(text) < 1n << 64n);
const natural = (least: number, most: number) => z.int().min(least).max(most);
const bytes = natural(0, 2 ** 52);
/** Relative, of plain segments: it can lead nowhere but below the place that a holder keeps the files in. */
const filePath = z.string().regex(/^(?=.{1,256}$)(?!\.)[A-Za-z0-9._-]+(?:\/(?!\.)[A-Za-z0-9._-]+)*$/);
/** Text here, bytes in parse.ts: a regular expression over a megabyte is dear, and ours is stricter. */
const base64 = z.string();

const muFunction = z.strictObject({
  type: z.literal('MuFunction'),
  name,
  runtime: z.literal('wasi1.0'),
  /** Path of the module among `files`. */
  file: filePath,
  /** Limit in bytes. */
  memory: natural(1024 * 1024, 4 * 1024 ** 3),
  timeout_ms: natural(1, maxFunctionTimeoutMs),
});

const port = natural(1, 65_535);

/** Exact, or all below where it ends in /... */
const path = z.string().regex(routePattern);
/** `*` alone: every method. */
const methods = z.union([z.tuple([z.literal('*')]), z.array(z.enum(httpMethods)).min(1).max(httpMethods.length)]);
const route = z.union([
  /** Name of the MuFunction that answers. */
  z.strictObject({ path, methods, function: name }),
  /** Name of the Workload that answers, and its port. */
  z.strictObject({ path, methods, workload: name, port }),
]);
const muGateway = z.strictObject({
  type: z.literal('MuGateway'),
  name,
  routes: z.array(route).max(manifestLimits.routes),
  /** Host names of the tenant's own, each once; a holder serves one when its owner has proved it. */
  hosts: z.array(z.string().regex(hostNamePattern)).min(1).max(maxHostNames).optional(),
});

const compute = z.strictObject({
  cpu: natural(1, 1_000_000),
  memory: bytes,
  disk: bytes,
  gpu: z.strictObject({ count: natural(1, 64), vendor: z.string().max(64), model: z.string().max(64) }).optional(),
});
const connection = z.strictObject({
  name,
  port,
  protocol: z.enum(['tcp', 'udp', 'http']),
  scope: z.enum(['workload', 'datacenter', 'global']),
  /** Workloads, or infrastructures, that may connect; all of the deployment's where it is left out. */
  from: z.array(name).min(1).max(64).optional(),
});

/** By digest, or the path of an OCI archive among `files`. */
const image = z.union([
  z.strictObject({ registry: z.string().regex(imagePattern) }),
  z.strictObject({ archive: filePath }),
]);
const workload = z.strictObject({
  type: z.literal('Workload'),
  name,
  image,
  /** Instead of the image's own. */
  command: z.array(z.string().min(1).max(4096)).min(1).max(64).optional(),
  /** `uid` or `uid:gid`. */
  user: z
    .string()
    .regex(/^[1-9]\d{0,8}(?::[1-9]\d{0,8})?$/)
    .optional(),
  compute,
  count: natural(1, 1000),
  connections: z.array(connection).max(64),
  egress: z.enum(['none', 'public']),
  volumes: z
    .array(z.strictObject({ name, path: z.string().regex(mountPathPattern), size: natural(1024 * 1024, 2 ** 52) }))
    .max(16),
  /** Each a path among `files`, and where that file stands, read-only, in every instance. */
  files: z
    .array(z.strictObject({ file: filePath, path: z.string().regex(mountPathPattern) }))
    .min(1)
    .max(maxMountedFiles)
    .optional(),
  health: z
    .strictObject({ path: z.string().regex(healthPathPattern), port, interval_ms: natural(1, 3_600_000) })
    .optional(),
});

const service = z.discriminatedUnion('type', [
  muFunction,
  muGateway,
  z.strictObject({ type: z.literal('MuDb'), name }),
  z.strictObject({ type: z.literal('MuStore'), name }),
  workload,
]);

const section = z.strictObject({
  infrastructure: name,
  /** `lease`: the key goes to holders of a lease of the infrastructure; `all`: to every participant. */
  share: z.enum(['lease', 'all']),
  /** 12 bytes. */
  nonce: base64.length(16),
  /** AES-256-GCM, the tag of 16 bytes at its end. */
  ciphertext: base64.min(24),
});

const pieceSize = natural(manifestLimits.leastPieceBytes, manifestLimits.mostPieceBytes).refine(
  (size) => Number.isInteger(Math.log2(size)),
  'not a power of two',
);
const file = z.strictObject({
  path: filePath,
  size: natural(1, manifestLimits.fileBytes),
  piece_size: pieceSize,
  /** Root of CometBFT's simple Merkle tree over the pieces, in hex. */
  merkle_root: hex32,
});

/** The form of a head. No part of it transforms: what comes out is what went in, or it is refused. */
export const headSchema = z.strictObject({
  format: z.literal(manifestFormat),
  chain_id: z.string().regex(/^[\x21-\x7e]{1,50}$/),
  owner: z.string().regex(/^[a-z0-9]{8,128}$/),
  dseq: u64,
  revision: u64,
  /** 32 random bytes in hex, so that a guess at a secret cannot be checked against the chain. */
  salt: hex32,
  /** What runs in each infrastructure, in the deployment's order. */
  workloads: z
    .array(z.strictObject({ infrastructure: name, services: z.array(service).max(manifestLimits.services) }))
    .min(1)
    .max(manifestLimits.infrastructures),
  /** In ascending order of their paths. */
  files: z.array(file).max(manifestLimits.files),
  /** One for each infrastructure, in the same order. */
  sections: z.array(section).max(manifestLimits.infrastructures),
});

/** The plain text of a section: environment by service, and the accounts with which images are pulled. */
export const sectionSchema = z.strictObject({
  env: z.record(name, z.record(z.string().regex(envNamePattern), z.string().max(64 * 1024))),
  registries: z
    .record(name, z.strictObject({ username: z.string().max(256), password: z.string().max(8192) }))
    .optional(),
});

export type ManifestHead = z.infer<typeof headSchema>;
export type ManifestWorkloads = ManifestHead['workloads'][number];
export type ManifestService = ManifestWorkloads['services'][number];
export type ManifestFunction = Extract<ManifestService, { type: 'MuFunction' }>;
export type ManifestGateway = Extract<ManifestService, { type: 'MuGateway' }>;
export type ManifestRoute = ManifestGateway['routes'][number];
export type ManifestWorkload = Extract<ManifestService, { type: 'Workload' }>;
export type ManifestFile = ManifestHead['files'][number];
export type ManifestSection = ManifestHead['sections'][number];
export type SectionContent = z.infer<typeof sectionSchema>;
