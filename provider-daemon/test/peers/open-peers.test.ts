import { Lease } from '@mu/proto/market';
import { wantedBy } from '../../src/peers/open-peers.ts';

test('what lives here is asked for, what is kept beside is served', () => {
  const places = new Map([
    [1n, { lease: 1n, owner: 'mu1a', dseq: 7n, infrastructure: 'web' }],
    [2n, { lease: 2n, owner: 'mu1a', dseq: 7n, infrastructure: 'db' }],
    [3n, { lease: 3n, owner: 'mu1a', dseq: 8n, infrastructure: '' }],
  ]);
  const keeper = {
    leases: () => [...places.keys()].map((number) => Lease.fromPartial({ number })),
    place: (lease: bigint) => places.get(lease),
  };
  const held = [
    { owner: 'mu1a', dseq: 7n, revision: 1n },
    { owner: 'mu1b', dseq: 9n, revision: 2n },
  ];
  expect(wantedBy({ keeper, manifests: { inGrace: () => held } })).toEqual([
    { owner: 'mu1a', dseq: 7n, infrastructures: ['web', 'db'] },
    { owner: 'mu1b', dseq: 9n, infrastructures: [] },
  ]);
});
