/** Makes a provider's folder: keys, identity, and a config with the ports chosen once, so that its addresses stay. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Keystore } from '@mu/client/keys/keystore';
import { parseConfig, renderConfig } from '../config/config.ts';
import { type PartialConfig, type ProviderConfig, settings } from '../config/schema.ts';
import { initIdentity } from '../identity/identity.ts';
import { configFileName, gatewayUri, hostUri, identityFolder } from './places.ts';

export interface Initialized {
  readonly config: string;
  readonly owner: string;
  readonly operator: string;
  readonly hostUri: string;
  readonly gatewayUri: string;
}

/**
 * @param flags texts by flag of the config, `--chain-id` → value
 * @throws Error when the folder holds a provider already, or a setting is wrong
 */
export async function initProvider(folder: string, flags: Readonly<Record<string, string>>): Promise<Initialized> {
  const file = join(folder, configFileName);
  if (existsSync(file)) throw new Error(`${file} exists: this folder holds a provider already; choose another --home`);
  const config = await withFreePorts(parseConfig({ file, text: '', flags }));
  mkdirSync(config.keys.folder, { recursive: true, mode: 0o700 });
  if (!existsSync(config.keys.passwordFile)) {
    writeFileSync(config.keys.passwordFile, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  }
  const { readPassword } = await import('../config/config.ts');
  const password = readPassword(config);
  const keys = new Keystore(config.keys.folder, config.chain.prefix);
  const owner = await keys.create(config.keys.owner, password);
  const operator =
    config.keys.operator === config.keys.owner ? owner : await keys.create(config.keys.operator, password);
  mkdirSync(config.node.dataFolder, { recursive: true, mode: 0o700 });
  const name = { chainId: config.chain.id, provider: owner.address, nodeId: config.node.id };
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  await initIdentity(identityFolder(config), name, { now: Date.now, random });
  writeFileSync(file, renderConfig(given(config, flags)), { flag: 'wx' });
  return {
    config: file,
    owner: owner.address,
    operator: operator.address,
    hostUri: hostUri(config),
    gatewayUri: gatewayUri(config),
  };
}

/** Settings that were given, and the ports: the file says no more, so that later defaults take effect. */
function given(config: ProviderConfig, flags: Readonly<Record<string, string>>): PartialConfig {
  const values: Record<string, Record<string, unknown>> = {};
  const all = config as unknown as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  for (const { section, key, flag } of settings) {
    const always = key === 'port' || (section === 'chain' && key === 'id');
    if (always || flags[flag] !== undefined) values[section] = { ...values[section], [key]: all[section]?.[key] };
  }
  return values as PartialConfig;
}

async function withFreePorts(config: ProviderConfig): Promise<ProviderConfig> {
  const host = config.host.port === 0 ? { ...config.host, port: await freePort(config.host.address) } : config.host;
  const gateway =
    config.gateway.port === 0 ? { ...config.gateway, port: await freePort(config.gateway.address) } : config.gateway;
  return { ...config, host, gateway };
}

/** A port that nobody listens on right now. */
function freePort(address: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once('error', reject);
  server.listen(0, address, () => {
    const bound = server.address();
    server.close(() =>
      typeof bound === 'object' && bound !== null ? resolve(bound.port) : reject(new Error('no port')),
    );
  });
  return promise;
}
