/** Manifests for tests, with counted bytes in place of randomness. */
import { createHash } from 'node:crypto';
import { type BuiltManifest, buildManifest, type ManifestInput } from '../../src/manifest/build.ts';
import type { Placement } from '../../src/stack/derive-types.ts';
import { read, sample } from '../stack/sample.ts';

export const owner = 'mu1w508d6qejxtdg4y5r3zarvary0c5xw7kxw5fx4';

/** Bytes that look random and are the same in every run. */
export function seeded(seed: string): (length: number) => Uint8Array {
  let calls = 0;
  return (length) => {
    calls += 1;
    return new Uint8Array(createHash('shake256', { outputLength: length }).update(`${seed}/${calls}`).digest());
  };
}

/** A file of several pieces. */
export const module = seeded('module')(600_000);

export const twoPlaces: readonly Placement[] = [
  { infrastructure: 'main', share: 'lease', services: ['simple_backend', 'main_gw', 'main_db'] },
  { infrastructure: 'spare', share: 'all', services: ['simple_backend', 'main_db'] },
];

export function build(change: Partial<ManifestInput> = {}): BuiltManifest {
  return buildManifest({
    chainId: 'mu-1',
    owner,
    dseq: 17n,
    revision: 1n,
    stack: read(sample).stack,
    placements: twoPlaces,
    binaries: new Map([['simple_backend', module]]),
    random: seeded('manifest'),
    ...change,
  });
}
