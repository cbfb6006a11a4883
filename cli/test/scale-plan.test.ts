import { expect, test } from '@jest/globals';
import { buildManifest } from '@mu/client/manifest/build';
import { hashedBytes } from '@mu/client/manifest/files';
import type { ManifestWorkload } from '@mu/client/manifest/head';
import { openSection } from '@mu/client/manifest/sections';
import { parseStack } from '@mu/client/stack/parse';
import { equalBytes } from '@mu/lib/bytes';
import { DeploymentInfrastructure } from '@mu/proto/deployment';
import { CliError } from '../src/errors.ts';
import { readCounts, scaledInfrastructure, scaledManifest } from '../src/scale-plan.ts';

const mib = 1024 * 1024;
const stack = parseStack(
  `name: Web
version: 0.1
services:
  - { type: Workload, name: web, container: manifest:web.tar, compute: { cpu: 50m, memory: 16MiB }, count: 1, env: { A: secret } }
  - { type: Workload, name: db, container: manifest:web.tar, compute: { cpu: 100m, memory: 16MiB } }
  - { type: MuDb, name: table }
`,
  { file: 'stack.yaml' },
).stack;

let calls = 0;
const random = (length: number): Uint8Array => {
  calls += 1;
  return new Uint8Array(length).fill(calls);
};
const kept = buildManifest({
  chainId: 'mu-1',
  owner: 'mu1w508d6qejxtdg4y5r3zarvary0c5xw7kxw5fx4',
  dseq: 17n,
  revision: 4n,
  stack,
  placements: [{ infrastructure: 'main', share: 'lease', services: ['web', 'db', 'table'] }],
  binaries: new Map(),
  images: new Map([
    ['web', hashedBytes(Uint8Array.of(1))],
    ['db', hashedBytes(Uint8Array.of(2))],
  ]),
  random,
});
const counts = (manifest: typeof kept): (number | undefined)[] =>
  (manifest.head.workloads[0]?.services ?? []).map((one) => (one as ManifestWorkload).count);
const standing = (cpu: number, count = 1): DeploymentInfrastructure[] => [
  DeploymentInfrastructure.fromPartial({
    name: 'main',
    region: 'eu',
    resources: [
      { compute: { cpu, memory: BigInt(64 * mib), disk: 0n }, price: '5', collateral: '7', count },
      { compute: { cpu: 10, memory: 0n, disk: 0n }, price: '1', collateral: '1', count: 1 },
    ],
  }),
];

test('a manifest with other counts is the next revision of the same, with its secrets under fresh keys', () => {
  const next = scaledManifest(kept, new Map([['web', 3]]), { revision: 5n, random });
  expect([counts(kept), counts(next)]).toEqual([
    [1, 1, undefined],
    [3, 1, undefined],
  ]);
  expect(next.head).toMatchObject({
    ...kept.head,
    revision: '5',
    salt: expect.any(String),
    workloads: expect.any(Array),
    sections: expect.any(Array),
  });
  expect(next.head.salt).not.toBe(kept.head.salt);
  expect(equalBytes(next.version, kept.version)).toBe(false);
  expect(next.files).toBe(kept.files);
  const [before, after] = [kept.sectionKeys.get('main')!, next.sectionKeys.get('main')!];
  expect(equalBytes(before, after)).toBe(false);
  expect(openSection(next.head, 'main', after)).toEqual({ env: { web: { A: 'secret' } } });
  expect(() => openSection(next.head, 'main', before)).toThrow();
});

test('what is no Workload of the deployment cannot be scaled', () => {
  for (const name of ['table', 'nobody']) {
    expect(() => scaledManifest(kept, new Map([[name, 3]]), { revision: 5n, random })).toThrow(/there are: web, db/);
  }
});

test('nothing more is bought where there is room, and as little as is needed where there is none', () => {
  const scaled = (web: number) => scaledManifest(kept, new Map([['web', web]]), { revision: 5n, random }).head;
  const roomy = standing(150);
  // web 1 × 50 and db 100 of 160; memory 32 of 64 MiB.
  expect(scaledInfrastructure(roomy, scaled(1))).toEqual(roomy);
  expect(scaledInfrastructure(roomy, scaled(2))[0]?.resources.map(({ count }) => count)).toEqual([2, 1]);
  // 8 × 50 + 100 = 500 of 160: three more of 150 have 610.
  const more = scaledInfrastructure(roomy, scaled(8))[0];
  expect(more?.resources[0]).toEqual({ ...roomy[0]?.resources[0], count: 4 });
  expect(more?.resources[1]).toEqual(roomy[0]?.resources[1]);
  // Memory decides: 9 × 16 MiB of 64.
  expect(scaledInfrastructure(standing(10_000), scaled(8))[0]?.resources[0]?.count).toBe(3);
});

test('counts are read as they are typed, and nothing else is', () => {
  expect(readCounts(['web=3', 'db=1000'])).toEqual(
    new Map([
      ['web', 3],
      ['db', 1000],
    ]),
  );
  for (const words of [[], ['web'], ['web='], ['=3'], ['web=0'], ['web=1001'], ['web=1.5'], ['web=-1']]) {
    expect(() => readCounts(words)).toThrow(CliError);
  }
});
