/** A deployment with two infrastructures, of which this provider serves `main`, and its delivery in bytes. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { BuiltManifest } from '@mu/client/manifest/build';
import { bundleFor, type DeliveryBundle } from '@mu/client/manifest/bundle';
import { deliveryBody } from '@mu/client/provider/delivery-body';
import { concatBytes } from '@mu/lib/bytes';
import type { StoredManifest } from '../../src/manifests/manifest-store.ts';
import type { DeploymentFacts } from '../../src/manifests/verify-delivery.ts';

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

/** The whole body of a delivery. */
export function bodyOf(built: BuiltManifest, change: Partial<DeliveryBundle> = {}): Uint8Array {
  return concatBytes(...deliveryBody({ ...bundleFor(built, ['main']), ...change }, built.head));
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
export function moduleOf(stored: StoredManifest | undefined): Uint8Array | undefined {
  return stored === undefined
    ? undefined
    : new Uint8Array(readFileSync(stored.fileOf('functions/simple_backend.wasm').path));
}
