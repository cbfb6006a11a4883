import { expect, test } from '@jest/globals';
import type { ManifestHead } from '@mu/client/manifest/head';
import { DeploymentInfrastructure } from '@mu/proto/deployment';
import { replacementWords } from '../src/plan-words.ts';

interface Place {
  readonly name: string;
  readonly persist?: boolean;
  readonly share?: 'lease' | 'all';
  readonly volume?: boolean;
}

const wordsOf = (...places: readonly Place[]): string[] =>
  replacementWords(
    {
      infrastructure: places.map(({ name, persist = true }) => DeploymentInfrastructure.fromPartial({ name, persist })),
      placements: places.map(({ name, share = 'lease' }) => ({ infrastructure: name, share, services: [] })),
    },
    {
      workloads: places.map(({ name, volume = false }) => ({
        infrastructure: name,
        services: [{ type: 'Workload', volumes: volume ? [{ name: 'data' }] : [] }],
      })),
    } as unknown as ManifestHead,
  );

test('with a single lease a replacement needs the user', () => {
  expect(wordsOf({ name: 'main', persist: false })).toEqual([
    'a replacement of the provider needs you (mucli must run, or `create --watch`), a second region, or `standby: 1`',
  ]);
});

test('with several, one that is to be replaced and keeps its secrets to itself needs the user for them', () => {
  expect(wordsOf({ name: 'front', persist: false }, { name: 'data' })).toEqual([
    'data: a replacement of its provider finds the manifest at the others, but needs you for its secrets (mucli must run, or `create --watch`)',
    '  `share: lease`, as it is: only who holds a lease of data can read its secrets; a replacement waits until you bring their key',
    '  `share: all` instead: a replacement starts without you; every participant could read the secrets',
  ]);
});

test('what goes on without the user is not spoken of', () => {
  expect(wordsOf({ name: 'front', share: 'all' }, { name: 'data', share: 'all' })).toEqual([]);
  expect(wordsOf({ name: 'main', share: 'all' }, { name: 'main-standby-1', share: 'all' })).toEqual([]);
});

test('a volume does not go along with what persists', () => {
  const empty =
    'main: a volume stays with its provider; a replacement begins with an empty one, replication is the application’s';
  expect(wordsOf({ name: 'main', volume: true })).toContain(empty);
  expect(wordsOf({ name: 'main', volume: true, share: 'all' }, { name: 'main-standby-1', share: 'all' })).toEqual([
    empty,
  ]);
  expect(wordsOf({ name: 'main', volume: true, persist: false })).toHaveLength(1);
});
