/** A deployment with two infrastructures, of which this provider serves `main`, and its delivery in bytes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { BuiltManifest } from '@mu/client/manifest/build';
import { bundleFor, type DeliveryBundle, encodeDelivery } from '@mu/client/manifest/bundle';
import type { BytesSource } from '@mu/client/manifest/file-source';
import { concatBytes, toHex, u32be } from '@mu/lib/bytes';
import { build, seeded } from '../../../client/test/manifest/fixture.ts';
import { read } from '../../../client/test/stack/sample.ts';
import type { StoredManifest } from '../../src/manifests/manifest-store.ts';
import type { DeploymentFacts } from '../../src/manifests/verify-delivery.ts';

/** A manifest of two functions: `first` in main, of three pieces; `second` in spare, whose section is shared with all, of five. */
export const twoFiles: BuiltManifest = build({
  stack: read(`name: Two
version: 0.1
services:
  - { type: MuFunction, name: first, binary: https://a/1.wasm, runtime: wasi1.0 }
  - { type: MuFunction, name: second, binary: https://a/2.wasm, runtime: wasi1.0 }
`).stack,
  placements: [
    { infrastructure: 'main', share: 'lease', services: ['first'] },
    { infrastructure: 'spare', share: 'all', services: ['second'] },
  ],
  binaries: new Map([
    ['first', seeded('first')(600_000)],
    ['second', seeded('second')(1_100_000)],
  ]),
});

export function factsOf(built: BuiltManifest, change: Partial<DeploymentFacts> = {}): DeploymentFacts {
  const { chain_id, owner, dseq, revision } = built.head;
  return {
    chainId: chain_id,
    owner,
    dseq: BigInt(dseq),
    version: built.version,
    revision: BigInt(revision),
    held: [{ lease: 7n, infrastructure: 'main' }],
    ...change,
  };
}

/** What a test puts in the place of parts of a delivery. */
export type DeliveryChange = Partial<Omit<DeliveryBundle, 'files'>> & {
  readonly files?: ReadonlyMap<string, Uint8Array>;
};

/** The files of a manifest, which tests have in memory. */
export function filesOf({ files }: Pick<BuiltManifest, 'files'>): ReadonlyMap<string, Uint8Array> {
  return new Map([...files].map(([path, source]) => [path, (source as BytesSource).bytes]));
}

/** The whole body of a delivery. */
export function bodyOf(built: BuiltManifest, { files, ...change }: DeliveryChange = {}): Uint8Array {
  const bundle = { ...bundleFor(built, ['main']), ...change };
  const given = files ?? filesOf(bundle);
  const paths = built.head.files.map(({ path }) => path).filter((path) => given.has(path));
  const message = encodeDelivery({ ...bundle, files: paths });
  return concatBytes(u32be(message.length), message, ...paths.map((path) => given.get(path) as Uint8Array));
}

/** A body as a request would bring it: in odd chunks, cut off or broken where it is told to. */
export function arriving(body: Uint8Array, options: { breakAt?: number; chunk?: number; sha256?: Uint8Array } = {}) {
  const { breakAt, chunk = 65_521 } = options;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const end = breakAt ?? body.length;
    for (let at = 0; at < end; at += chunk) yield body.subarray(at, Math.min(at + chunk, end));
    if (breakAt !== undefined) throw new Error('aborted');
  }
  return { chunks: chunks(), sha256: options.sha256 ?? sha256(body) };
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

/** The module of the sample's function, as it lies on the disk. */
export async function moduleOf(stored: StoredManifest | undefined): Promise<Uint8Array | undefined> {
  if (stored === undefined) return undefined;
  const { path, sha256: hash } = await stored.fileOf('functions/simple_backend.wasm');
  const bytes = new Uint8Array(readFileSync(path));
  return toHex(sha256(bytes)) === hash ? bytes : undefined;
}
