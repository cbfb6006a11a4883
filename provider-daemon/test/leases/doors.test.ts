import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseConfig, renderConfig } from '../../src/config/config.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import { Doors, maxEndpointBytes, maxEndpoints } from '../../src/leases/doors.ts';
import { type PublicConnection, PublicPorts, publicPortRange } from '../../src/leases/public-ports.ts';

const owner = { chainId: 'mu-1', provider: 'mu1p', nodeId: 'node-1' };
let folder: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-doors-'));
  journal = openJournal(folder, owner);
});
afterEach(async () => {
  await journal.close();
  rmSync(folder, { recursive: true });
});

const doors = (
  range: { first: number; last: number } | undefined,
  more: { gatewayUri?: string; domain?: string } = {},
) =>
  new Doors({
    ...{ gatewayUri: 'https://dc1.example:8443', domain: '', ...more },
    ports: { book: new PublicPorts({ range, table: journal.ports }), listenAddress: '0.0.0.0' },
  });
const gateway = (label: string) => ({ label, service: 'gw', hosts: [], routes: [] });
const connection = (name: string, protocol: 'tcp' | 'udp' = 'tcp'): PublicConnection => ({
  ...{ service: 'db', connection: name, protocol, port: 5432 },
});
const plan = (connections: readonly PublicConnection[], labels: readonly string[] = []) => ({
  gateways: labels.map(gateway),
  publicConnections: connections,
});
const portOf = (endpoint: string | undefined): number => Number(new URL(endpoint ?? '').port);
const range = { first: 20_000, last: 20_002 };

describe('public ports of a lease', () => {
  test('are told beside its gateways, and listened at; the same after a restart', async () => {
    const wanted = plan([connection('sql'), connection('dns', 'udp')], ['abc']);
    const { endpoints, relays } = doors(range).of(7n, wanted);
    const [http, sql, dns] = endpoints;
    expect(http).toBe('https://dc1.example:8443/~abc');
    expect([sql, dns]).toEqual([
      expect.stringMatching(/^tcp:\/\/dc1\.example:2000[0-2]$/),
      expect.stringMatching(/^udp:/),
    ]);
    expect(relays[0]).toEqual({
      ...{ listen: { address: '0.0.0.0', port: portOf(sql) }, protocol: 'tcp', metered: true },
      to: { service: 'db', port: 5432 },
    });
    await journal.close();
    journal = openJournal(folder, owner);
    expect(doors(range).of(7n, wanted).endpoints).toEqual(endpoints);
  });

  test('are different ones, until all are taken; a lease that is over gives its own back', () => {
    const own = doors(range);
    const ports = [7n, 8n, 9n].map((lease) => portOf(own.of(lease, plan([connection('sql')])).endpoints[0]));
    expect([...ports].sort()).toEqual([20_000, 20_001, 20_002]);
    expect(() => own.of(10n, plan([connection('sql')]))).toThrow(/all public tcp ports .* are taken, 3 in all/);
    // Those of UDP are others.
    expect(portOf(own.of(10n, plan([connection('dns', 'udp')])).endpoints[0])).toBeGreaterThanOrEqual(range.first);
    own.free(8n);
    expect(new Set(own.leases())).toEqual(new Set([7n, 9n, 10n]));
    expect(portOf(own.of(11n, plan([connection('sql')])).endpoints[0])).toBe(ports[1]);
  });

  test('an update keeps the ports of connections that stay, and frees the others', () => {
    const own = doors(range);
    const before = own.of(7n, plan([connection('a'), connection('b')])).endpoints;
    own.settle(7n, plan([connection('a'), connection('b')]));
    const after = own.of(7n, plan([connection('b'), connection('c')])).endpoints;
    expect(after[0]).toBe(before[1]);
    own.settle(7n, plan([connection('b')]));
    expect(journal.ports.all().map((record) => record.connection)).toEqual(['b']);
  });

  test('a range that was made smaller gives another port than one that is no longer among it', () => {
    const before = portOf(doors(range).of(7n, plan([connection('a')])).endpoints[0]);
    const last = before === range.last ? before - 1 : range.last;
    const narrow = { first: before === range.last ? range.first : before + 1, last };
    const after = portOf(doors(narrow).of(7n, plan([connection('a')])).endpoints[0]);
    expect(after).not.toBe(before);
  });

  test('where none are offered the reason says what to do', () => {
    expect(() => doors(undefined).of(7n, plan([connection('sql')]))).toThrow(
      /db: the connection sql is global, but this provider offers no public tcp ports: choose another provider/,
    );
  });
});

describe('what the chain takes', () => {
  test('more addresses than that are refused, before a port is given', () => {
    const labels = ['a', 'b', 'c'];
    expect(doors(range).of(7n, plan([connection('x')], labels)).endpoints).toHaveLength(maxEndpoints);
    journal.ports.delete(journal.ports.all()[0]!);
    expect(() => doors(range).of(7n, plan([connection('x'), connection('y')], labels))).toThrow(
      /5 public addresses, .*the chain takes 4/,
    );
    expect(journal.ports.all()).toEqual([]);
  });

  test('an address that is too long is refused', () => {
    const label = 'a'.repeat(16);
    const domain = (length: number) => ({ domain: `${'d'.repeat(length - 'https://.:8443'.length - label.length)}` });
    const fits = doors(range, domain(maxEndpointBytes)).of(7n, plan([], [label]));
    expect(fits.endpoints[0]).toHaveLength(maxEndpointBytes);
    expect(() => doors(range, domain(maxEndpointBytes + 1)).of(7n, plan([], [label]))).toThrow(/has 129 bytes/);
  });
});

describe('the range in the config', () => {
  const config = (text: string) =>
    parseConfig({ file: '/p.toml', text: `[chain]\nid = "mu-1"\n[offer]\nregions = ["eu"]\n${text}` });

  test('is read and written; none is offered where it is empty', () => {
    const { gateway: read } = config('[gateway]\nports = "20000-20999"');
    expect(read.ports).toEqual({ first: 20_000, last: 20_999 });
    expect(renderConfig({ gateway: { ports: { first: 1, last: 2 } } })).toContain('\nports = "1-2"\n');
    expect(publicPortRange(config(''))).toBeUndefined();
    expect(publicPortRange(config('[gateway]\nports = ""'))).toBeUndefined();
  });

  test.each(['"20999-20000"', '"0-5"', '"1-65536"', '"20000"', '20000'])('is refused where it is none: %s', (text) => {
    expect(() => config(`[gateway]\nports = ${text}`)).toThrow(/gateway\.ports must be a range of ports/);
  });

  test.each([
    ['[gateway]\nports = "8000-9000"', /contains gateway\.port = 8080/],
    ['[gateway]\nports = "8440-8450"', /contains host\.port = 8443/],
    ['[gateway]\nports = "9000-9999"\n[metrics]\nport = 9999', /contains metrics\.port = 9999/],
  ])('is refused where it has a port of the provider’s own: %s', (text, problem) => {
    expect(() => publicPortRange(config(text))).toThrow(problem);
  });
});
