import { expect, test } from '@jest/globals';
import { CloseReason, Lease, LeaseState } from '@mu/proto/market';
import { type RotateInput, rotateMarks } from '../../src/deployment/rotate.ts';
import type { BuiltManifest } from '../../src/manifest/build.ts';
import { build, seeded } from '../manifest/fixture.ts';
import { read } from '../stack/sample.ts';

/** `data` and `front` have a secret each, `shared` has one that all know, `bare` has none. */
function manifest(revision: bigint, secrets: { readonly data: string; readonly shared: string }): BuiltManifest {
  const service = (name: string, env: string) =>
    `  - { type: Workload, name: ${name}, container: "a@sha256:${'a'.repeat(64)}", compute: { cpu: 1, memory: 1MiB }${env} }\n`;
  const { stack } = read(
    `name: A\nversion: 1\nservices:\n${service('db', `, env: { PASSWORD: ${secrets.data} }`)}${service('web', ', env: { KEY: front }')}${service('log', `, env: { TOKEN: ${secrets.shared} }`)}${service('idle', '')}`,
  );
  const place = (infrastructure: string, services: string[], share: 'lease' | 'all' = 'lease') => ({
    infrastructure,
    share,
    services,
  });
  return build({
    stack,
    revision,
    placements: [
      place('data', ['db']),
      place('front', ['web']),
      place('shared', ['log'], 'all'),
      place('bare', ['idle'], 'all'),
    ],
    random: seeded(`${revision}`),
  });
}

const places = ['data', 'front', 'shared', 'bare'];
const lease = (change: Partial<Lease> = {}): Lease =>
  Lease.fromPartial({
    number: 7n,
    provider: 'mu1p',
    order: { infrastructure: 0 },
    state: LeaseState.LEASE_STATE_BROKEN,
    closeReason: CloseReason.CLOSE_REASON_NOT_CONFIRMED,
    closedHeight: 50n,
    manifestRevision: 1n,
    ...change,
  });

const first = manifest(1n, { data: 'one', shared: 'one' });
const marks = (leases: readonly Lease[], change: Partial<RotateInput> = {}): string[] =>
  rotateMarks({
    leases,
    nameOf: ({ order }) => places[order?.infrastructure ?? 0] ?? '',
    revision: 1n,
    manifestOf: (revision) => (revision === 1n ? first : undefined),
    revisionAt: () => undefined,
    ...change,
  }).map(({ infrastructure, provider, height }) => `${infrastructure} ${provider} ${height}`);

test('a broken lease marks its own secrets and those that all share', () => {
  expect(marks([lease()])).toEqual(['data mu1p 50', 'shared mu1p 50']);
});

test('one that does not serve does so too; whoever ends well does not', () => {
  const { LEASE_STATE_CLOSED, LEASE_STATE_ACTIVE } = LeaseState;
  const notServing = lease({ state: LEASE_STATE_CLOSED, closeReason: CloseReason.CLOSE_REASON_NOT_SERVING });
  expect(marks([notServing])).toEqual(['data mu1p 50', 'shared mu1p 50']);
  const byUser = lease({ state: LEASE_STATE_CLOSED, closeReason: CloseReason.CLOSE_REASON_BY_USER });
  const live = lease({
    state: LEASE_STATE_ACTIVE,
    closeReason: CloseReason.CLOSE_REASON_UNSPECIFIED,
    closedHeight: 0n,
  });
  expect(marks([byUser, live])).toEqual([]);
});

test('each provider is told once, with its latest end', () => {
  const again = lease({ number: 8n, closedHeight: 60n });
  const other = lease({
    number: 9n,
    closedHeight: 70n,
    provider: 'mu1q',
    order: { owner: '', dseq: 0n, infrastructure: 1, round: 0 },
  });
  expect(marks([lease(), again, other])).toEqual(['data mu1p 60', 'front mu1q 70', 'shared mu1p 60', 'shared mu1q 70']);
});

test('new secrets clear a mark, and only those that are new', () => {
  const second = manifest(2n, { data: 'two', shared: 'one' });
  const manifestOf = (revision: bigint) => (revision === 1n ? first : second);
  expect(marks([lease()], { revision: 2n, manifestOf })).toEqual(['shared mu1p 50']);
  const third = manifest(2n, { data: 'two', shared: 'two' });
  expect(marks([lease()], { revision: 2n, manifestOf: (revision) => (revision === 1n ? first : third) })).toEqual([]);
});

test('what was in force at its end counts, though it never confirmed it', () => {
  const second = manifest(2n, { data: 'two', shared: 'two' });
  const change = { revision: 2n, manifestOf: (revision: bigint) => (revision === 1n ? first : second) };
  expect(marks([lease()], { ...change, revisionAt: () => 2n })).toEqual(['data mu1p 50', 'shared mu1p 50']);
  expect(marks([lease({ manifestRevision: 0n })], change)).toEqual([]);
});

test('where nothing is kept, its own infrastructure is told until there is a newer revision', () => {
  const manifestOf = () => undefined;
  expect(marks([lease()], { manifestOf })).toEqual(['data mu1p 50']);
  expect(marks([lease()], { manifestOf, revision: 2n })).toEqual([]);
});
