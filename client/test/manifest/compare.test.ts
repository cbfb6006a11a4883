import { expect, test } from '@jest/globals';
import { saysTheSame } from '../../src/manifest/compare.ts';
import { build, module, seeded, twoPlaces } from './fixture.ts';

test('two manifests say the same whatever their salts, keys and revisions', () => {
  const first = build();
  expect(saysTheSame(first, build({ random: seeded('other'), revision: 2n }))).toBe(true);
});

test('another file, place or share is another manifest', () => {
  const first = build();
  const other = new Map([['simple_backend', module.subarray(1)]]);
  expect(saysTheSame(first, build({ binaries: other }))).toBe(false);
  expect(saysTheSame(first, build({ placements: twoPlaces.slice(0, 1) }))).toBe(false);
  const shared = twoPlaces.map((place) => ({ ...place, share: 'all' as const }));
  expect(saysTheSame(first, build({ placements: shared }))).toBe(false);
});
