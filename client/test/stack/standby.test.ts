import { expect, test } from '@jest/globals';
import { Dec } from '@mu/lib/dec';
import { parseManifest } from '../../src/manifest/parse.ts';
import { deriveDeployment } from '../../src/stack/derive.ts';
import type { DerivedDeployment } from '../../src/stack/derive-types.ts';
import { isStandby, maxNameWithStandbys, withRoomForFiles } from '../../src/stack/standby.ts';
import { build } from '../manifest/fixture.ts';
import { placesOf, problemsOf, read, sample } from './sample.ts';

const mib = 1024n * 1024n;
const withStandby = (more: string, name = 'west'): string => `${sample}infrastructure:
  - name: ${name}
    region: eu-west
    persist: true
    ${more}
    resources:
      - { compute: { cpu: 2, memory: 256MiB, disk: 1GiB }, price: 3, count: 2, collateral: 7 }
    usage_limits:
      - { metric: function-invocations, max_price: 0.5, per: 1000, max_quantity_per_block: 100 }
`;
const market = {
  regions: ['eu-west'],
  metrics: [{ name: 'function-invocations', service: 'mu-function', maxPerBlock: 0n }],
  asks: [],
  priceLists: [],
  minRunwayBlocks: 100n,
  usageWindowBlocks: 50n,
  minDeposit: 10n,
  maxCollateral: 0n,
};
const derive = (text: string): DerivedDeployment =>
  deriveDeployment(read(text).stack, { flags: {}, config: {} }, market);
const derived = derive(withStandby('share: all\n    standby: 2'));

test('each standby is an infrastructure of its own in the same region, with the same services and little else', () => {
  const [west, ...standbys] = derived.infrastructure;
  expect(standbys.map(({ name }) => name)).toEqual(['west-standby-1', 'west-standby-2']);
  expect(standbys[0]).toEqual({
    ...west,
    name: 'west-standby-1',
    resources: [
      {
        compute: { cpu: 10, memory: 16n * mib, disk: 16n * mib, gpu: undefined },
        // A tenth of 2 × 3, and what a provider locks for a hundred blocks of it.
        price: Dec.fromString('0.6').atomicsString(),
        collateral: '60',
        count: 1,
      },
    ],
    usageLimits: [],
    expectedUsage: [],
  });
  expect(derived.pricePerBlock.toPlain()).toBe('7.2');
  expect(derived.choices).toContainEqual({
    what: 'west-standby-1',
    value: 'at most 0.6 umu per block; holds the manifest and runs nothing',
    from: 'standby',
  });
});

test('its price may be named', () => {
  const named = derive(withStandby('share: all\n    standby: 1\n    standby_price: 0.25'));
  expect(named.infrastructure[1]?.resources[0]?.price).toBe(Dec.fromString('0.25').atomicsString());
});

test('it has room for the files of the manifest, in whole MiB, and nothing else is changed', () => {
  const sized = withRoomForFiles(derived, Number(3n * mib) + 1);
  expect(sized.infrastructure.map(({ resources }) => resources[0]?.compute?.disk)).toEqual([
    1024n * mib,
    20n * mib,
    20n * mib,
  ]);
  expect(withRoomForFiles(derived, 0).infrastructure).toEqual(derived.infrastructure);
});

test('nothing runs in it: its part of the manifest is empty, and its key is no secret of anybody', () => {
  const { placements } = derived;
  expect(placements.slice(1)).toEqual([
    { infrastructure: 'west-standby-1', share: 'all', services: [] },
    { infrastructure: 'west-standby-2', share: 'all', services: [] },
  ]);
  const { headBytes } = build({ placements });
  const { head } = parseManifest(headBytes);
  expect(head.workloads.slice(1)).toEqual([
    { infrastructure: 'west-standby-1', services: [] },
    { infrastructure: 'west-standby-2', services: [] },
  ]);
});

test('a standby must be able to hand the secrets on', () => {
  for (const share of ['', 'share: lease']) {
    const text = withStandby(`standby: 1\n    ${share}`);
    expect(placesOf(text)).toEqual(['17:14']);
    expect(problemsOf(text)[0]).toMatchObject({
      message: 'a standby without the key of the secrets could not hand it on',
      allowed: '`share: all` beside it (every participant could read the secrets)',
    });
  }
  expect(problemsOf(withStandby('standby: 0'))).toEqual([]);
});

test.each<[string, string, string]>([
  ['too many', withStandby('share: all\n    standby: 5'), '5 is not a number of standbys'],
  ['a price without a standby', withStandby('standby_price: 1'), 'there is no standby that could have a price'],
  [
    'one provider alone',
    withStandby(`share: all\n    standby: 1\n    provider: mu1${'q'.repeat(38)}`),
    'nobody may take over from the provider that alone may serve',
  ],
  ['a name of a standby', withStandby('share: all', 'a-standby-1'), '"a-standby-1" is a name that standbys get'],
  [
    'a name that is too long',
    withStandby('share: all\n    standby: 1', `a${'b'.repeat(maxNameWithStandbys)}`),
    'the names of standbys would be longer than 64 characters',
  ],
])('%s is a mistake', (_, text, message) => {
  expect(problemsOf(text).map((problem) => problem.message)).toContain(message);
});

test('standbys count among the infrastructures', () => {
  const one = (at: number): string =>
    `  - { name: i${at}, region: eu-west, share: all, standby: 4, resources: [{ compute: { cpu: 1, memory: 1GiB }, price: 1 }] }\n`;
  const of = (count: number) =>
    `${sample}infrastructure:\n${Array.from({ length: count }, (_, at) => one(at)).join('')}`;
  expect(problemsOf(of(3))).toEqual([]);
  expect(problemsOf(of(4)).map(({ message }) => message)).toEqual(['20 infrastructures, with their standbys']);
});

test('a standby is known by its name', () => {
  expect(['db-standby-1', 'db', 'standby-1', 'db-standby-x', 'a-standby-12'].map(isStandby)).toEqual([
    true,
    false,
    false,
    false,
    true,
  ]);
});
