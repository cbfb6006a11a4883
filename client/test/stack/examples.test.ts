/** The stack files of examples/ are valid as they stand. */
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { hashedBytes } from '../../src/manifest/files.ts';
import { deriveDeployment } from '../../src/stack/derive.ts';
import { readStackFile, type StackFile } from '../../src/stack/parse.ts';
import { build } from '../manifest/fixture.ts';

const folder = join(import.meta.dirname, '../../../examples');
const regions = ['east', 'west'];
const example = (name: string, known = {}): Promise<StackFile> =>
  readStackFile(join(folder, name, 'stack.yaml'), known);

test.each(['login', 'shop', 'photon'])('examples/%s', async (name) => {
  expect((await example(name)).stack.services.length).toBeGreaterThan(0);
});

test('examples/photon has its tiers in two regions, and one way between them', async () => {
  const { stack } = await example('photon', { regions });
  const metrics = ['gateway-requests', 'gateway-bytes', 'tunnel-bytes'].map((name) => ({
    name,
    service: 'mu-workload',
    maxPerBlock: 0n,
  }));
  const { infrastructure, placements } = deriveDeployment(
    stack,
    { flags: {}, config: {} },
    {
      regions,
      metrics,
      asks: [],
      priceLists: [],
      minRunwayBlocks: 100n,
      usageWindowBlocks: 50n,
      minDeposit: 10n,
      maxCollateral: 0n,
    },
  );
  expect(infrastructure.map(({ name, region, persist, services }) => [name, region, persist, services])).toEqual([
    ['front', 'east', false, ['mu-workload']],
    ['data', 'west', true, ['mu-workload']],
  ]);
  expect(placements).toEqual([
    { infrastructure: 'front', share: 'lease', services: ['web'] },
    { infrastructure: 'data', share: 'all', services: ['db'] },
  ]);
  const images = new Map(['web', 'db'].map((name) => [name, hashedBytes(new Uint8Array([1]))]));
  const { head } = build({ stack, placements, images });
  const ways = head.workloads.flatMap(({ services }) =>
    services.flatMap((one) => (one.type === 'Workload' ? one.connections : [])),
  );
  expect(ways).toEqual([
    { name: 'http', port: 8080, protocol: 'http', scope: 'global' },
    { name: 'redis', port: 6379, protocol: 'tcp', scope: 'workload', from: ['web'] },
  ]);
  expect(head.files.map(({ path }) => path)).toEqual(['images/db.tar', 'images/web.tar']);
});
