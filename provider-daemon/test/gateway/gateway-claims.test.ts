import { expect, test } from '@jest/globals';
import { GatewayClaims } from '../../src/gateway/gateway-claims.ts';
import type { GatewayService } from '../../src/gateway/routes.ts';

/** A gateway that counts one request a call of `hit`. */
function fake() {
  const routes = new Map<string, string>();
  const counts = new Map<string, bigint>();
  const takeUsage = (label: string) => {
    const requests = counts.get(label) ?? 0n;
    counts.delete(label);
    return { requests, bytes: requests * 10n };
  };
  return {
    gateway: {
      setRoutes: (label: string, { deployment }: GatewayService) => void routes.set(label, deployment),
      takeUsage,
      remove: (label: string) => {
        routes.delete(label);
        return takeUsage(label);
      },
    },
    routes,
    hit: (label: string) => void counts.set(label, (counts.get(label) ?? 0n) + 1n),
  };
}

const service = (deployment: string): GatewayService => ({
  deployment,
  service: 'gw',
  routes: [],
  functions: new Map(),
});
const requests = (claims: GatewayClaims, lease: string): bigint =>
  claims
    .takeUsage(lease)
    .reduce((sum, { metric, quantity }) => (metric === 'gateway-requests' ? sum + quantity : sum), 0n);

test('a lease that takes over at the same label answers there, and the end of the old one does not close the door', () => {
  const { gateway, routes, hit } = fake();
  const claims = new GatewayClaims(gateway);
  claims.serve('1', 'label', service('1'));
  hit('label');
  claims.serve('2', 'label', service('2'));
  hit('label');
  hit('label');
  expect(routes.get('label')).toBe('2');
  claims.release('1', 'label');
  expect(routes.get('label')).toBe('2');
  expect([requests(claims, '1'), requests(claims, '2')]).toEqual([1n, 2n]);
  claims.release('2', 'label');
  expect(routes.has('label')).toBe(false);
});

test('when the new lease ends first, the old one answers again; each pays for its own requests', () => {
  const { gateway, routes, hit } = fake();
  const claims = new GatewayClaims(gateway);
  claims.serve('1', 'label', service('1'));
  claims.serve('2', 'label', service('2'));
  hit('label');
  claims.release('2', 'label');
  expect(routes.get('label')).toBe('1');
  hit('label');
  expect([requests(claims, '1'), requests(claims, '2')]).toEqual([1n, 1n]);
});

test('a newer revision of the same lease keeps its count', () => {
  const { gateway, routes, hit } = fake();
  const claims = new GatewayClaims(gateway);
  claims.serve('1', 'label', service('1'));
  hit('label');
  claims.serve('1', 'label', service('1 again'));
  expect(routes.get('label')).toBe('1 again');
  expect(requests(claims, '1')).toBe(1n);
  expect(requests(claims, '1')).toBe(0n);
});
