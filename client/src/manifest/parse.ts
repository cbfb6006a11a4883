/** A head from bytes that may come from anybody. */
import { equalBytes, fromBase64, fromUtf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { manifestVersion } from '@mu/lib/manifest-hash';
import type * as z from 'zod';
import { isSystemFile, isSystemPath, nestedMount } from '../stack/mount-paths.ts';
import { ManifestError, type ManifestErrorCode } from './errors.ts';
import { pieceCount } from './files.ts';
import {
  headSchema,
  type ManifestGateway,
  type ManifestHead,
  type ManifestService,
  type ManifestWorkload,
  type ManifestWorkloads,
  manifestLimits,
} from './head.ts';

/** What the chain says of the manifest; what is given must match. */
export interface ExpectedManifest {
  readonly version?: Uint8Array;
  readonly chainId?: string;
  readonly owner?: string;
  readonly dseq?: bigint;
  readonly revision?: bigint;
}

/** A checked manifest. */
export interface Manifest {
  readonly head: ManifestHead;
  /** The bytes that the version is the hash of. */
  readonly headBytes: Uint8Array;
  /** 32 bytes. */
  readonly version: Uint8Array;
}

/**
 * Checks a head whole: its size, its hash where one is expected, its form, that it is the canonical text of its value,
 * and that its parts agree. Holders must pass what the chain says; the user who has just built it need not.
 * @throws ManifestError
 */
export function parseManifest(headBytes: Uint8Array, expected: ExpectedManifest = {}): Manifest {
  if (headBytes.length > manifestLimits.headBytes) {
    throw new ManifestError('too_large', `the head has ${headBytes.length} bytes; at most ${manifestLimits.headBytes}`);
  }
  const version = manifestVersion(headBytes);
  if (expected.version !== undefined && !equalBytes(version, expected.version)) {
    throw new ManifestError('wrong_manifest', 'the head is not the one whose hash stands on the chain');
  }
  const head = parseStrict(headBytes, headSchema, 'schema');
  checkAgreement(head);
  checkIdentity(head, expected);
  return { head, headBytes, version };
}

/**
 * Canonical JSON of a given form, from bytes. The schema's *output* is encoded again and compared, so that nothing can
 * hide from the schema: a key given twice, an unknown one, another spelling of a number.
 * @param code of errors of form; a text that is not canonical is `not_canonical`
 */
export function parseStrict<T extends z.ZodType>(bytes: Uint8Array, schema: T, code: ManifestErrorCode): z.output<T> {
  let text: string;
  let value: unknown;
  try {
    text = fromUtf8(bytes);
    value = JSON.parse(text);
  } catch {
    throw new ManifestError('not_canonical', 'not JSON in UTF-8');
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new ManifestError(code, `${(issue?.path ?? []).map(String).join('.') || 'the document'}: ${issue?.message}`);
  }
  if (canonicalJson(result.data) !== text)
    throw new ManifestError('not_canonical', 'not the RFC 8785 text of its value');
  return result.data;
}

function checkIdentity(head: ManifestHead, expected: ExpectedManifest): void {
  const facts: readonly (readonly [string, string, string | undefined])[] = [
    ['chain', head.chain_id, expected.chainId],
    ['owner', head.owner, expected.owner],
    ['dseq', head.dseq, expected.dseq?.toString()],
    ['revision', head.revision, expected.revision?.toString()],
  ];
  for (const [what, is, wanted] of facts) {
    if (wanted !== undefined && is !== wanted) {
      throw new ManifestError('wrong_manifest', `the head is for the ${what} ${is}, not ${wanted}`);
    }
  }
}

const inconsistent = (message: string) => new ManifestError('inconsistent', message);

/** The parts agree: every reference leads somewhere, nothing is named twice, no file is there for nothing. */
function checkAgreement(head: ManifestHead): void {
  const homes = head.workloads.map(({ infrastructure }) => infrastructure);
  if (new Set(homes).size !== homes.length) throw inconsistent('an infrastructure is named twice');
  const sections = head.sections.map(({ infrastructure }) => infrastructure);
  if (sections.join() !== homes.join()) throw inconsistent('sections and infrastructures are not the same');
  for (const { nonce, ciphertext } of head.sections) checkBase64(nonce, ciphertext);
  const used = new Set(head.workloads.flatMap(checkWorkloads));
  const paths = head.files.map(({ path }) => path);
  if (paths.some((path, i) => i > 0 && path <= paths[i - 1]!))
    throw inconsistent('files are not in order, or one is named twice');
  if (paths.some((path) => !used.has(path))) throw inconsistent('a file that nothing uses');
  if ([...used].some((path) => !paths.includes(path)))
    throw inconsistent('the file of a function, an image or a workload is not among the files');
  checkSizes(head);
}

/** Sums are of whole numbers far below 2⁵³. */
function checkSizes({ files, workloads }: ManifestHead): void {
  const { allFilesBytes, pieces, moduleBytes } = manifestLimits;
  const tooLarge = (message: string) => new ManifestError('too_large', message);
  if (files.reduce((sum, { size }) => sum + size, 0) > allFilesBytes)
    throw tooLarge(`the files have more than ${allFilesBytes} bytes together`);
  if (files.reduce((sum, file) => sum + pieceCount(file), 0) > pieces)
    throw tooLarge(`the files have more than ${pieces} pieces together`);
  const services = workloads.flatMap((one) => one.services);
  const modules = new Set(services.flatMap((one) => (one.type === 'MuFunction' ? [one.file] : [])));
  const large = files.find(({ path, size }) => modules.has(path) && size > moduleBytes);
  if (large !== undefined) throw tooLarge(`${large.path} has ${large.size} bytes; a function at most ${moduleBytes}`);
}

/** One text per byte string; what is not base64 must not wait for the key to show. */
function checkBase64(...texts: readonly string[]): void {
  try {
    for (const text of texts) fromBase64(text);
  } catch {
    throw new ManifestError('schema', 'a section is not base64');
  }
}

/** @returns the paths of the files that the infrastructure uses */
function checkWorkloads({ infrastructure, services }: ManifestWorkloads): string[] {
  const names = services.map(({ name }) => name);
  if (new Set(names).size !== names.length) throw inconsistent(`${infrastructure}: a service is named twice`);
  const hosts = services.flatMap((service) => (service.type === 'MuGateway' ? (service.hosts ?? []) : []));
  if (new Set(hosts).size !== hosts.length) throw inconsistent(`${infrastructure}: a host name is given twice`);
  for (const service of services) {
    if (service.type === 'MuGateway') checkGateway(service, infrastructure, services);
    if (service.type === 'Workload') checkWorkload(service);
  }
  return services.flatMap(pathsOf);
}

/** The files that a service is made from, and those that it mounts. */
export function pathsOf(service: ManifestService): readonly string[] {
  if (service.type === 'MuFunction') return [service.file];
  if (service.type !== 'Workload') return [];
  const mounted = (service.files ?? []).map(({ file }) => file);
  return 'archive' in service.image ? [service.image.archive, ...mounted] : mounted;
}

function checkGateway(gateway: ManifestGateway, infrastructure: string, services: readonly ManifestService[]): void {
  const paths = gateway.routes.map(({ path }) => path);
  if (new Set(paths).size !== paths.length) throw inconsistent(`${gateway.name}: a path is routed twice`);
  for (const route of gateway.routes) {
    const { path, methods } = route;
    if (new Set<string>(methods).size !== methods.length)
      throw inconsistent(`${gateway.name}: ${path} names a method twice`);
    const [target, type] = 'function' in route ? [route.function, 'MuFunction'] : [route.workload, 'Workload'];
    if (!services.some((service) => service.name === target && service.type === type)) {
      const what = type === 'MuFunction' ? 'function' : 'workload';
      throw inconsistent(`${gateway.name}: ${path} leads to ${target}, which is no ${what} of ${infrastructure}`);
    }
  }
}

function checkWorkload({ name, connections, volumes, compute, files = [] }: ManifestWorkload): void {
  const once = (what: string, keys: readonly string[]): void => {
    if (new Set(keys).size !== keys.length) throw inconsistent(`${name}: ${what} is given twice`);
  };
  once(
    'a connection',
    connections.map((one) => one.name),
  );
  once(
    'a port',
    connections.map(({ port, protocol }) => `${port}/${protocol === 'udp' ? 'udp' : 'tcp'}`),
  );
  once(
    'a volume',
    volumes.map((one) => one.name),
  );
  once(
    'a mount path',
    volumes.map(({ path }) => path),
  );
  const bytes = volumes.reduce((sum, { size }) => sum + size, 0);
  if (bytes > compute.disk) throw inconsistent(`${name}: volumes of ${bytes} bytes on a disk of ${compute.disk}`);
  const mounted = files.map(({ path }) => path);
  const taken = mounted.find((path) => isSystemPath(path) || isSystemFile(path));
  if (taken !== undefined) throw inconsistent(`${name}: a file at ${taken}, which belongs to the system`);
  const nested = nestedMount(
    mounted,
    volumes.map(({ path }) => path),
  );
  if (nested !== undefined) throw inconsistent(`${name}: a file at ${nested[0]}, at, below or above ${nested[1]}`);
}
