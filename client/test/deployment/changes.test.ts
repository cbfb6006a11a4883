/** What an update does is said before it is signed. */
import { expect, test } from '@jest/globals';
import { Deployment, DeploymentInfrastructure } from '@mu/proto/deployment';
import { changesOf } from '../../src/deployment/changes.ts';

const web = DeploymentInfrastructure.fromPartial({
  name: 'web',
  region: 'local',
  resources: [{ compute: { cpu: 500, memory: 1n, disk: 0n }, price: '5', collateral: '1', count: 1 }],
});
const before = Deployment.fromPartial({
  infrastructure: [web, { ...web, name: 'old' }, { ...web, name: 'db' }],
  removed: [1],
});
const holders = new Map([
  ['web', 'mu1holder'],
  ['db', 'mu1holder'],
]);
const kindOf = (parts: Partial<DeploymentInfrastructure>, held = holders, waiting: string[] = []) =>
  changesOf(before, [{ ...web, ...parts }], held, new Set(waiting)).map(({ name, kind, fields }) => [
    name,
    kind,
    ...fields,
  ]);

test('what stays, what is kept, what is ordered anew, what comes and what goes', () => {
  expect(kindOf({})).toEqual([
    ['web', 'stays'],
    ['db', 'removed'],
  ]);
  expect(kindOf({ persist: true, excludedProviders: ['mu1other'] })[0]).toEqual([
    'web',
    'kept',
    'excluded_providers',
    'persist',
  ]);
  expect(kindOf({ excludedProviders: ['mu1holder'] })[0]).toEqual(['web', 'ordered', 'excluded_providers']);
  expect(kindOf({ persist: true, region: 'east' })[0]).toEqual(['web', 'ordered', 'region', 'persist']);
  expect(kindOf({ name: 'old' })[0]).toEqual(['old', 'new']);
});

test('without a lease all is ordered anew', () => {
  expect(kindOf({}, new Map())[0]).toEqual(['web', 'ordered']);
  expect(kindOf({ persist: true }, new Map())[0]).toEqual(['web', 'ordered', 'persist']);
});

test('an open order stays as it is, or is opened anew', () => {
  expect(kindOf({}, new Map(), ['web'])[0]).toEqual(['web', 'stays']);
  expect(kindOf({ persist: true }, new Map(), ['web'])[0]).toEqual(['web', 'ordered', 'persist']);
  expect(kindOf({ persist: true }, holders, ['web'])[0]).toEqual(['web', 'ordered', 'persist']);
});

test('a price of a resource is a change of the resources', () => {
  const [resource] = web.resources;
  expect(kindOf({ resources: [{ ...resource!, price: '6' }] })[0]).toEqual(['web', 'ordered', 'resources']);
});
