import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../src/config/config.ts';
import { gatewaySettings, openSettings } from '../../src/gateway/settings.ts';
import { authority } from './certificates-fixture.ts';

const config = (gateway: string) =>
  parseConfig({
    file: '/etc/mu/provider.toml',
    text: `[chain]\nid = "mu-1"\n[offer]\nregions = ["eu"]\n[gateway]\n${gateway}`,
  });
const log = { info: () => {}, warn: () => {} };

describe('the gateway’s settings', () => {
  test('without any, plain HTTP with the limits that the file shows', () => {
    expect(gatewaySettings(config(''))).toEqual({
      listen: { host: '0.0.0.0', port: 8080 },
      domain: '',
      limits: {
        ...{ bodyBytes: 10 << 20, connections: 16_384, connectionsPerClient: 2_048 },
        ...{ calls: 4_096, callsPerDeployment: 512, drainMs: 30_000 },
      },
    });
  });

  test('paths start at the config’s folder; account and certificates lie with the data', () => {
    const { listen, tls, acme } = gatewaySettings(
      config(
        'port = 443\nhttp_port = 80\ntls_cert = "a.pem"\ntls_key = "/k.pem"\nacme_directory = "https://ca.example/dir"\nacme_email = "ops@mu.example"',
      ),
    );
    expect([listen.plainPort, tls]).toEqual([80, { cert: '/etc/mu/a.pem', key: '/k.pem' }]);
    expect(acme).toEqual({
      ...{ directoryUrl: 'https://ca.example/dir', email: 'ops@mu.example', ca: '' },
      folder: '/etc/mu/data/acme',
    });
  });

  test.each([
    ['tls_cert = "a.pem"', /tls_cert and gateway\.tls_key belong together/],
    ['tls_key = "a.pem"', /tls_cert and gateway\.tls_key belong together/],
    ['acme_directory = "https://ca.example/dir"', /needs gateway\.http_port/],
    ['http_port = 80', /with TLS only/],
  ])('contradictions are refused with what to do: %s', (text, problem) => {
    expect(() => gatewaySettings(config(text))).toThrow(problem);
  });

  test.each(['acme_directory = "http://ca.example"', 'acme_email = "ops"', 'name_servers = ["dns.example"]'])(
    'what is no value is refused: %s',
    (text) => {
      expect(() => config(text)).toThrow(/provider\.toml:6: gateway\.\w+ must be/);
    },
  );
});

describe('opened', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mu-settings-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('files come before the authority, which is asked only for what they do not have', async () => {
    const ca = await authority();
    const pem = await ca.issue(['*.mu.example']);
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    writeFileSync(files.cert, pem.cert);
    writeFileSync(files.key, pem.key);
    const acme = { directoryUrl: 'https://ca.example/dir', email: '', ca: '', folder: join(folder, 'acme') };
    const listen = { host: '127.0.0.1', port: 0 };
    const opened = openSettings({ listen, domain: 'mu.example', limits: {}, tls: files, acme }, log);
    const { certificates, domain } = opened.options;
    certificates!.want(['abc.mu.example', 'www.tenant.example']);
    expect(certificates!.contextFor('abc.mu.example')).toBeDefined();
    expect(certificates!.contextFor('www.tenant.example')).toBeUndefined();
    expect(opened.acme!.status().map(({ name }) => name)).toEqual(['www.tenant.example']);
    expect([domain, certificates!.fallback()?.cert]).toEqual(['mu.example', pem.cert]);
    opened.close();
  });

  test('without certificates there is no TLS', () => {
    const opened = openSettings({ listen: { host: '127.0.0.1', port: 0 }, domain: '', limits: {} }, log);
    expect([opened.options, opened.acme]).toEqual([{ limits: {} }, undefined]);
    opened.close();
  });
});
