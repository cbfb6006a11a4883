/** What a user hands to a provider over TLS: the head, the keys that this provider may hold, and files. */
import { fromBase64, toBase64, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import * as z from 'zod';
import { namePattern } from '../stack/common-schema.ts';
import type { BuiltManifest } from './build.ts';
import { ManifestError } from './errors.ts';
import type { FileSource } from './file-source.ts';
import { type ManifestFile, type ManifestHead, manifestLimits } from './head.ts';
import { parseStrict, pathsOf } from './parse.ts';
import { sectionKeyBytes } from './sections.ts';

/** A delivery: its first message has head and keys, then the files follow. */
export interface DeliveryBundle {
  readonly headBytes: Uint8Array;
  /** Section keys by infrastructure. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** The files that go with it, by path: those that do not come from its peers. */
  readonly files: ReadonlyMap<string, FileSource>;
}

/** The keys that a holder of leases of these infrastructures may have: theirs, and those that the stack shares with all. */
export function keysFor(built: BuiltManifest, infrastructures: readonly string[]): Map<string, Uint8Array> {
  const shared = built.head.sections.filter(
    ({ infrastructure, share }) => share === 'all' || infrastructures.includes(infrastructure),
  );
  return new Map(shared.map(({ infrastructure }) => [infrastructure, built.sectionKeys.get(infrastructure)!]));
}

/**
 * What a holder of leases of these infrastructures gets: head, keys, and files.
 * @param files `all`: for it to hand on to the others; `own`: those that its infrastructures use; `none`: its peers have them
 */
export function bundleFor(
  built: BuiltManifest,
  infrastructures: readonly string[],
  files: 'all' | 'own' | 'none' = 'own',
): DeliveryBundle {
  const { head, headBytes } = built;
  const chosen = files === 'all' ? head.files : files === 'own' ? filesFor(head, infrastructures) : [];
  const entries = chosen.map(({ path }): [string, FileSource] => [path, built.files.get(path)!]);
  return { headBytes, keys: keysFor(built, infrastructures), files: new Map(entries) };
}

/** The files that the services of these infrastructures use. */
export function filesFor(head: ManifestHead, infrastructures: readonly string[]): ManifestFile[] {
  const services = head.workloads
    .filter(({ infrastructure }) => infrastructures.includes(infrastructure))
    .flatMap((one) => one.services);
  const used = new Set(services.flatMap(pathsOf));
  return head.files.filter(({ path }) => used.has(path));
}

/** The first message of a delivery. */
export interface DeliveryMessage extends Pick<DeliveryBundle, 'headBytes' | 'keys'> {
  /** Paths of the files that follow, in the order of the head. */
  readonly files: readonly string[];
}

const headAndKeys = {
  head: z.string().max(Math.ceil(manifestLimits.headBytes / 3) * 4),
  keys: z
    .array(z.strictObject({ infrastructure: z.string().regex(namePattern), key: z.string() }))
    .max(manifestLimits.infrastructures),
};
const deliverySchema = z.strictObject({
  format: z.literal('mu/delivery/2'),
  ...headAndKeys,
  /** Paths of the files that follow, in the order of the head; the others come from the holder's peers. */
  files: z.array(z.string()).max(manifestLimits.files),
});

/** As it was before a delivery named its files. Users have kept manifests in it; nobody sends it any more. */
const firstSchema = z.strictObject({ format: z.literal('mu/delivery/1'), ...headAndKeys });
const keptSchema = z.discriminatedUnion('format', [deliverySchema, firstSchema]);

/** The largest first message of a delivery. */
export const maxDeliveryBytes = Math.ceil(manifestLimits.headBytes / 3) * 4 + 256 * 1024;

/** The first message of a delivery, as canonical JSON. It holds keys: only over TLS, or into a file of the user's own. */
export function encodeDelivery(message: DeliveryMessage): Uint8Array {
  const keys = [...message.keys].map(([infrastructure, key]) => ({ infrastructure, key: toBase64(key) }));
  const { headBytes, files } = message;
  return utf8(canonicalJson({ format: 'mu/delivery/2', head: toBase64(headBytes), keys, files }));
}

/**
 * A delivery's first message. The head is not parsed yet: `parseManifest` it with what the chain says.
 * @throws ManifestError
 */
export function decodeDelivery(bytes: Uint8Array): DeliveryMessage {
  const message = readMessage(bytes, deliverySchema);
  return { ...headAndKeysOf(message), files: message.files };
}

/** Head and keys of a manifest that its user keeps, also of one that was kept in an earlier form. @throws ManifestError */
export function decodeKept(bytes: Uint8Array): Pick<DeliveryMessage, 'headBytes' | 'keys'> {
  return headAndKeysOf(readMessage(bytes, keptSchema));
}

function readMessage<T extends z.ZodType>(bytes: Uint8Array, schema: T): z.output<T> {
  if (bytes.length > maxDeliveryBytes)
    throw new ManifestError('too_large', `a delivery has at most ${maxDeliveryBytes} bytes`);
  return parseStrict(bytes, schema, 'schema');
}

function headAndKeysOf(message: z.output<typeof keptSchema>): Pick<DeliveryMessage, 'headBytes' | 'keys'> {
  const keys = new Map<string, Uint8Array>();
  try {
    for (const { infrastructure, key } of message.keys) keys.set(infrastructure, fromBase64(key));
    const wrong = [...keys.values()].some(({ length }) => length !== sectionKeyBytes);
    if (wrong || keys.size !== message.keys.length)
      throw new ManifestError('schema', 'a key is of the wrong length or given twice');
    return { headBytes: fromBase64(message.head), keys };
  } catch (error) {
    if (error instanceof ManifestError) throw error;
    throw new ManifestError('schema', 'not base64');
  }
}
