import { expect, test } from '@jest/globals';
import { touchedBy } from '../../src/watch/touched.ts';

const event = (type: string, values: Record<string, string>): Parameters<typeof touchedBy>[0][number] => ({
  type,
  attributes: Object.entries(values).map(([key, value]) => ({ key, value })),
});

test('orders and leases are read off any event that names them, each once', () => {
  const order = { owner: 'mu1a', dseq: '7', infrastructure: '0', round: '2' };
  const touched = touchedBy([
    event('order_opened', order),
    event('lease_created', { ...order, lease: '12' }),
    event('lease_confirmed', { lease: '12' }),
    event('transfer', { recipient: 'mu1a', amount: '5umu' }),
    event('deployment_updated', { owner: 'mu1a', dseq: '7', revision: '2' }),
    event('deployment_canceled', { owner: 'mu1a', dseq: '8' }),
    event('odd', { ...order, dseq: '-1', lease: 'x' }),
  ]);
  expect([...touched.orders.keys()]).toEqual(['mu1a/7/0/2']);
  expect([...touched.leases]).toEqual([12n]);
  expect(touched.deployments).toEqual([{ owner: 'mu1a', dseq: 7n }]);
});

test('whose leases have changed is read off events of leases that are no confirmations, and providers off their own', () => {
  const order = { owner: 'mu1a', dseq: '7', infrastructure: '0', round: '2', provider: 'mu1p' };
  const { participants, providers } = touchedBy([
    event('lease_created', { ...order, lease: '12' }),
    event('lease_closed', { ...order, round: '1', lease: '11' }),
    event('lease_confirmed', { ...order, dseq: '8', lease: '13' }),
    event('bid_submitted', { ...order, dseq: '9' }),
    event('order_closed', { ...order, dseq: '10', lease: '0' }),
    event('node_removed', { provider: 'mu1q', node_id: 'node-1' }),
    event('provider_updated', { provider: 'mu1r' }),
    event('provider_updated', { provider: 'mu1r' }),
  ]);
  expect(participants).toEqual([{ owner: 'mu1a', dseq: 7n }]);
  expect([...providers]).toEqual(['mu1q', 'mu1r']);
});
