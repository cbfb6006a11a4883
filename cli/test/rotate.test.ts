import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { DeploymentView } from '@mu/client/deployment/follow';
import { Lease, LeaseState, Order } from '@mu/proto/market';
import { marksOf, rotateText } from '../src/rotate.ts';
import type { Session } from '../src/session.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'mu-rotate-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const deployment = { id: { owner: 'mu1owner', dseq: 17n }, revision: 1n };
const broken: DeploymentView = {
  height: 100n,
  orders: [Order.fromPartial({ id: { infrastructure: 0, round: 1 }, spec: { name: 'data' } })],
  bids: [],
  leases: [
    Lease.fromPartial({
      ...{ number: 1n, provider: 'mu1gone', order: { infrastructure: 0, round: 1 }, closedHeight: 90n },
      ...{ state: LeaseState.LEASE_STATE_BROKEN, manifestRevision: 1n },
    }),
  ],
};
const marks = () => {
  const session = { config: { home }, client: async () => ({ chainId: 'mu-1' }) } as unknown as Session;
  return marksOf(session, deployment, broken);
};

test('a kept manifest that cannot be read tells as little as none, and is no reason not to tell the rest', async () => {
  const mark = { infrastructure: 'data', provider: 'mu1gone', height: 90n };
  expect(await marks()).toEqual([mark]);
  const folder = join(home, 'manifests', 'mu-1', 'mu1owner', '17', '1');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'delivery.json'), '{"format":"damaged"}');
  expect(await marks()).toEqual([mark]);
  expect(rotateText([mark])[0]).toMatch(/secrets of data were held by mu1gone.*block 90.*update/);
});
