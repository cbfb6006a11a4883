import { expect, test } from '@jest/globals';
import type { LeaseStatusAnswer } from '@mu/client/provider/provider-client';
import { Lease, LeaseState, Order } from '@mu/proto/market';
import { eventText } from '../src/commands/logs.ts';
import { metricsText } from '../src/commands/status.ts';
import { type DeploymentStanding, type LeaseStanding, statusText, whyNot } from '../src/status-text.ts';

const answer = (change: Partial<LeaseStatusAnswer> = {}): LeaseStatusAnswer => ({
  lease: 7n,
  deployment: 'mu1owner/3',
  infrastructure: 'main',
  live: true,
  work: 'running',
  revision: 2n,
  endpoints: ['http://a'],
  services: [
    {
      service: 'web',
      kind: 'container',
      instances: [
        { index: 0, state: 'ready', restarts: 0 },
        { index: 1, state: 'backing_off', restarts: 2, last_end: 'killed at its memory limit' },
      ],
    },
    { service: 'front', kind: 'gateway', instances: [] },
  ],
  progress: [],
  ...change,
});

function standing(change: Partial<LeaseStanding> = {}, more: Partial<DeploymentStanding> = {}): DeploymentStanding {
  const lease = Lease.fromPartial({ number: 7n, provider: 'mu1p', state: LeaseState.LEASE_STATE_ACTIVE });
  return {
    dseq: 3n,
    name: 'Web',
    state: 'active',
    revision: 2n,
    leases: [{ lease, infrastructure: 'main', answer: answer(), ...change }],
    open: [],
    rotate: [],
    ...more,
  };
}

test('a deployment is a table of its services, where it answers, and why something does not run', () => {
  expect(statusText(standing())).toBe(
    [
      'deployment 3 "Web" is active, revision 2',
      '',
      'LEASE  INFRASTRUCTURE  SERVICE  KIND       READY  RESTARTS  STATE',
      '7      main            web      container  1/2    2         ready, backing off',
      '7      main            front    gateway                     running',
      '  answers at http://a',
      '',
      'main (lease 7): web instance 1 is backing off after 2 restarts; it ended last by killed at its memory limit',
    ].join('\n'),
  );
});

test.each<[LeaseStatusAnswer['manifest_from'], string[]]>([
  [undefined, []],
  ['user', []],
  [['mu1a', 'mu1b'], ['  lease 7 has its manifest from mu1a, mu1b']],
  [['mu1a', 'mu1b', 'mu1c', 'mu1d', 'mu1e'], ['  lease 7 has its manifest from mu1a, mu1b, mu1c and 2 more']],
])('from whom a manifest came: %j', (from, said) => {
  const given = from === undefined ? {} : { manifest_from: from };
  const lines = statusText(standing({ answer: answer(given) })).split('\n');
  expect(lines.filter((line) => line.includes('manifest from'))).toEqual(said);
});

test.each<[string, Partial<LeaseStanding>, Partial<DeploymentStanding>, RegExp]>([
  [
    'no provider has it',
    {},
    { leases: [], open: [Order.fromPartial({ spec: { name: 'main' } })] },
    /no provider has it yet/,
  ],
  ['nothing is ordered', {}, { leases: [] }, /orders anew/],
  [
    'the provider is away',
    { answer: undefined, trouble: 'no answer within 30000 ms' },
    {},
    /does not answer: no answer/,
  ],
  [
    'no manifest',
    { answer: answer({ work: 'waiting' }) },
    {},
    /waits for the manifest: `mucli deployment send-manifest 3`/,
  ],
  [
    'it fails',
    { answer: answer({ work: 'failed', reason: 'no such image', failed_revision: 2n }) },
    {},
    /revision 2 cannot be started: no such image/,
  ],
  [
    'rolled back',
    { answer: answer({ reason: 'exit code 3', failed_revision: 3n }) },
    {},
    /revision 3 was rolled back.*: exit code 3/,
  ],
  ['an older revision', { answer: answer({ revision: 1n }) }, {}, /runs revision 1: .* brings 2/],
  [
    'it is starting',
    {
      answer: answer({
        work: 'starting',
        progress: [
          {
            time: '2026-01-01T00:00:00.000Z',
            service: 'web',
            stream: 'system',
            line: 'fetching: 1 of 3 layers are here',
          },
        ],
      }),
    },
    {},
    /starting: web fetching: 1 of 3 layers are here/,
  ],
])('where %s it says so, and what to do', (_what, lease, more, said) => {
  expect(whyNot(standing(lease, more)).join('\n')).toMatch(said);
});

test('secrets that a provider has taken with it are told with what to do', () => {
  const rotate = [{ infrastructure: 'db', provider: 'mu1q', height: 90n }];
  expect(statusText(standing({}, { rotate }))).toContain(
    'secrets of db were held by mu1q, whose lease broke at block 90: change them (mucli tx deployment update)',
  );
});

test('an empty escrow is told with the deposit that mends it', () => {
  const lease = Lease.fromPartial({ number: 7n, state: LeaseState.LEASE_STATE_OUT_OF_FUNDS });
  expect(whyNot(standing({ lease }))).toEqual([
    'main (lease 7): paused, the escrow is empty; `mucli tx deployment deposit 3 AMOUNT` lets it go on',
  ]);
});

test('metrics show what is taken of what, and what is not billed yet', () => {
  const one = {
    index: 0,
    cpu_micros: 1_250_000n,
    memory_bytes: 8n << 20n,
    received_bytes: 1536n,
    sent_bytes: 0n,
    disk_bytes: 0n,
  };
  const services = [
    {
      service: 'web',
      kind: 'container' as const,
      cpu_limit_millis: 50,
      memory_limit_bytes: 16n << 20n,
      disk_limit_bytes: 0n,
      instances: [one],
    },
  ];
  const unreported = [{ service: 'web', metric: 'egress-bytes', quantity: 42n }];
  const text = metricsText([{ lease: 7n, services, reported_to: 9n, unreported }]);
  expect(text).toMatch(/7 {6}web\/0 {5}1\.[23] s at 50m {2}8 MiB of 16 MiB {2}1\.5 KiB {3}0 B {3}0 B/);
  expect(text).toMatch(/7 {6}web {6}egress-bytes {2}42 {8}9/);
  expect(metricsText([])).toMatch(/no container runs[\s\S]*nothing was used/);
});

test('events are a line each, and steer no terminal', () => {
  const event = {
    seq: 4,
    time: '2026-01-01T00:00:00.000Z',
    type: 'instance-ended',
    service: 'web',
    instance: 0,
    reason: 'exit\u001b[2J',
  };
  expect(eventText(7n, event)).toBe(
    '2026-01-01T00:00:00.000Z  lease 7  instance-ended  service web, instance 0, reason exit�[2J',
  );
});
