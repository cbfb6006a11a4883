import { expect, test } from '@jest/globals';
import { DeploymentInfrastructure } from '@mu/proto/deployment';
import { noBidText } from '../src/no-bid.ts';

const infrastructure = [
  { name: 'web', region: 'eu-west', services: ['mu-gateway', 'mu-workload'] },
  { name: 'db', region: 'us-east', services: ['mu-db'] },
].map((one) => DeploymentInfrastructure.fromPartial(one));
const gateways = { regions: ['eu-west'], services: ['mu-gateway'] };
const at = { dseq: 7n, timeoutBlocks: 60n };
const cancel = 'cancel it and get the deposit back with: mucli tx deployment cancel 7';

test('says of each infrastructure who could not bid', () => {
  expect(noBidText({ infrastructure }, [gateways], at).split('\n')).toEqual([
    'no bid in 60 blocks',
    'web: nobody in eu-west offers mu-workload',
    'db: no provider serves region us-east',
    cancel,
  ]);
});

test('where the services are offered it was price or room', () => {
  const both = { regions: ['eu-west', 'us-east'], services: ['mu-gateway', 'mu-workload', 'mu-db'] };
  expect(noBidText({ infrastructure }, [gateways, both], at).split('\n').slice(1, -1)).toEqual([
    'web: 2 providers of eu-west offer the services, none at this price or with this much room',
    'db: 1 providers of us-east offer the services, none at this price or with this much room',
  ]);
});

test('speaks only of those that have no lease, where others have one', () => {
  const lines = noBidText({ infrastructure }, [gateways], { ...at, missing: ['db'] }).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[1]).toContain('db: ');
  expect(lines[2]).toContain('the others have leases and go on: `mucli deployment status 7`');
});
