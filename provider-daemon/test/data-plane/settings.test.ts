import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../src/config/config.ts';
import { planeSettings, settingsDigest } from '../../src/data-plane/settings.ts';
import { gatewayUri } from '../../src/setup/places.ts';

const config = (gateway: string) =>
  parseConfig({
    file: '/etc/mu/provider.toml',
    text: `[chain]\nid = "mu-1"\n[offer]\nregions = ["eu"]\n[gateway]\n${gateway}`,
  });
const tls = 'tls_cert = "a.pem"\ntls_key = "k.pem"\n';

describe('what a config says to the data plane', () => {
  test('the gateway’s settings go whole, and survive the file through which they are handed over', () => {
    const settings = planeSettings(config(`${tls}port = 443\nhttp_port = 80\nname_servers = ["10.0.0.1"]`));
    expect(settings.gateway).toMatchObject({
      listen: { host: '0.0.0.0', port: 443, plainPort: 80 },
      tls: { cert: '/etc/mu/a.pem', key: '/etc/mu/k.pem' },
    });
    expect(settings.hosts.nameServers).toEqual(['10.0.0.1']);
    expect(JSON.parse(JSON.stringify(settings))).toEqual(settings);
  });

  test('another setting of the gateway is another digest: the data plane is replaced', () => {
    const digest = (text: string) => settingsDigest(planeSettings(config(text)));
    expect(digest('')).toBe(digest(''));
    expect(digest('drain_s = 5')).not.toBe(digest(''));
    expect(digest(tls)).not.toBe(digest(''));
  });

  test('the listener’s settings go too, with the daemon’s sockets in the data plane’s folder', () => {
    const { folder, host } = planeSettings(
      config('[host]\naddress = "::1"\nport = 0\n[network]\nallow_private_peers = true'),
    );
    expect(host).toEqual({
      ...{ address: '::1', port: 0, allowPrivatePeers: true },
      ...{ api: `${folder}/api`, peer: `${folder}/peer` },
    });
  });

  test('names of the provider’s own are no tenant’s', () => {
    expect(planeSettings(config('')).hosts.reserved).toEqual([]);
    const settings = planeSettings(config('uri = "https://gw.dc1.example:8443"\ndomain = "mu.example"'));
    expect(settings.hosts.reserved).toEqual(['mu.example', 'gw.dc1.example']);
  });

  test('contradictions are refused', () => {
    expect(() => planeSettings(config('http_port = 80'))).toThrow(/with TLS only/);
  });
});

test('where clients come in by TLS the public address says so, unless another one was given', () => {
  expect(gatewayUri(config(''))).toBe('http://0.0.0.0:8080');
  expect(gatewayUri(config(tls))).toBe('https://0.0.0.0:8080');
  expect(gatewayUri(config(`${tls}uri = "http://dc1.example"`))).toBe('http://dc1.example');
});
