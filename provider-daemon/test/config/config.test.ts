import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Dec } from '@mu/lib/dec';
import {
  ConfigError,
  type ConfigSources,
  loadConfig,
  parseConfig,
  readPassword,
  renderConfig,
} from '../../src/config/config.ts';
import { parseDevice } from '../../src/config/gpus.ts';
import { keyLines } from '../../src/config/places.ts';
import { settings } from '../../src/config/schema.ts';

const least = '[chain]\nid = "mu-1"\n[offer]\nregions = ["eu"]\n';
const read = (text: string, more: Partial<ConfigSources> = {}) =>
  parseConfig({ file: '/etc/mu/provider.toml', text, ...more });

function problemsOf(text: string, more: Partial<ConfigSources> = {}): readonly string[] {
  try {
    read(text, more);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the config', () => {
  it('has a default for all but chain id and regions', () => {
    const config = read(least);
    expect(config.chain).toMatchObject({ id: 'mu-1', rpcUrl: 'http://127.0.0.1:26657', denom: 'umu' });
    expect(config.capacity).toMatchObject({ cpu: 0n, memory: 0n, disk: 0n, gpus: [] });
    expect(config.pricing.script).toBe('');
    expect(problemsOf('')).toEqual([
      expect.stringMatching(/^\/etc\/mu\/provider\.toml: chain\.id is missing/),
      expect.stringMatching(/^\/etc\/mu\/provider\.toml: offer\.regions is missing/),
    ]);
  });

  it('reads every kind of value from the file', () => {
    const config = read(`${least}
services = ["mu-function"]
attributes = { tier = "gold", "dc/row" = "7" }
[capacity]
memory = "512MiB"
disk = 1024
cpu_overcommit = "2.5"
gpus = [{ vendor = "nvidia", model = "a100", count = 4 }]
[pricing]
cpu = "0.125"
script = "price.sh"
gpu_models = { "nvidia/t4" = "30", "nvidia/a100" = "400" }
[bidding]
deny_owners = ["mu1x"]
[usage.prices]
gateway-requests = { price = "0.5", per = 1000 }
function-invocations = { price = "2", per = 1 }
[network]
allow_private_peers = true
`);
    expect(config.offer.attributes).toEqual([
      { key: 'dc/row', value: '7' },
      { key: 'tier', value: 'gold' },
    ]);
    expect(config.capacity).toMatchObject({ memory: 512n << 20n, disk: 1024n });
    expect(config.capacity.cpuOvercommit.toPlain()).toBe('2.5');
    expect(config.capacity.gpus).toEqual([{ vendor: 'nvidia', model: 'a100', count: 4 }]);
    expect(config.pricing.cpu.toPlain()).toBe('0.125');
    expect(config.pricing.script).toBe('/etc/mu/price.sh');
    expect(config.pricing.gpuModels.map(({ name, price }) => [name, price.toPlain()])).toEqual([
      ['nvidia/a100', '400'],
      ['nvidia/t4', '30'],
    ]);
    expect(config.bidding.denyOwners).toEqual(['mu1x']);
    expect(config.usage.prices.map(({ metric, price, per }) => [metric, price.toPlain(), per])).toEqual([
      ['function-invocations', '2', 1n],
      ['gateway-requests', '0.5', 1000n],
    ]);
    expect(config.network.allowPrivatePeers).toBe(true);
  });

  it('takes a flag before the environment before the file', () => {
    const text = `${least}[host]\nport = 1\n[gateway]\nport = 1\n[node]\nid = "a"\n`;
    const config = read(text, {
      environment: { MU_PROVIDER_HOST_PORT: '2', MU_PROVIDER_GATEWAY_PORT: '2', PATH: '/bin', MU_PROVIDER_HOME: '/x' },
      flags: { '--gateway-port': '3', '--node-id': undefined },
    });
    expect([config.node.id, config.host.port, config.gateway.port]).toEqual(['a', 2, 3]);
  });

  it('reads lists, attributes and prices from texts', () => {
    const config = read(least, {
      environment: {
        MU_PROVIDER_OFFER_REGIONS: 'eu, us',
        MU_PROVIDER_OFFER_ATTRIBUTES: 'tier=gold,a=b=c',
        MU_PROVIDER_USAGE_PRICES: 'x=0.5/1000,y=2',
        MU_PROVIDER_CAPACITY_GPUS: 'nvidia/a100=4, amd/mi300=1, amd/w7900=2 @/dev/dri/renderD128+/dev/kfd@/dev/a',
        MU_PROVIDER_PRICING_GPU_MODELS: 'nvidia/a100=400',
      },
    });
    expect(config.offer.regions).toEqual(['eu', 'us']);
    expect(config.offer.attributes).toEqual([
      { key: 'a', value: 'b=c' },
      { key: 'tier', value: 'gold' },
    ]);
    expect(config.usage.prices.map(({ per }) => per)).toEqual([1000n, 1n]);
    expect(config.capacity.gpus).toEqual([
      { vendor: 'nvidia', model: 'a100', count: 4 },
      { vendor: 'amd', model: 'mi300', count: 1 },
      { vendor: 'amd', model: 'w7900', count: 2, devices: ['/dev/dri/renderD128+/dev/kfd', '/dev/a'] },
    ]);
    expect(config.pricing.gpuModels.map(({ name }) => name)).toEqual(['nvidia/a100']);
  });

  it('names file and line of unknown keys and wrong values, all at once', () => {
    const problems = problemsOf(`${least}[host]\nport = 99999\nprot = 1\n[hots]\n[pricing]\ncpu = 0.5\n`);
    expect(problems).toEqual([
      expect.stringMatching(/^\/etc\/mu\/provider\.toml:7: unknown key host\.prot; known: address, port, uri/),
      expect.stringMatching(/^\/etc\/mu\/provider\.toml:8: unknown section hots/),
      expect.stringMatching(/^\/etc\/mu\/provider\.toml:6: host\.port must be a whole number from 0 to 65535/),
      expect.stringMatching(/^\/etc\/mu\/provider\.toml:10: pricing\.cpu must be a decimal/),
    ]);
  });

  it.each([
    ['[usage.prices]\nx = { price = "1", per = 0 }'],
    ['[usage.prices]\nx = { price = "-1", per = 1 }'],
    ['[usage.prices]\nx = { price = "1", per = 1, for = 2 }'],
    ['[capacity]\nmemory = "12 gigs"'],
    ['[capacity]\ncpu_overcommit = "0.99"'],
    ['[capacity]\nmemory_overcommit = "100.1"'],
    ['[capacity]\ngpus = [{ vendor = "nvidia", model = "A100", count = 4 }]'],
    ['[capacity]\ngpus = [{ vendor = "nvidia", model = "a100", count = 0 }]'],
    ['[capacity]\ngpus = [{ vendor = "a", model = "b", count = 1 }, { vendor = "a", model = "b", count = 1 }]'],
    ['[capacity]\ngpus = [{ vendor = "a", model = "b", count = 1, price = 2 }]'],
    ['[capacity]\ngpus = [{ vendor = "a", model = "b", count = 1, devices = "nvidia:0" }]'],
    ['[capacity]\ngpus = [{ vendor = "a", model = "b", count = 1, devices = ["nvidia:all"] }]'],
    ['[capacity]\ngpus = [{ vendor = "a", model = "b", count = 2, devices = ["nvidia:0", "nvidia:0"] }]'],
    [
      '[capacity]\ngpus = [{ vendor = "a", model = "b", count = 1, devices = ["/dev/x"] }, { vendor = "a", model = "c", count = 1, devices = ["/dev/x"] }]',
    ],
    ['[pricing]\ngpu_models = { a100 = "1" }'],
    ['[pricing]\nscript_timeout_ms = 5'],
    ['[bidding]\nallow_owners = ["MU1X"]'],
    ['[host]\nuri = "http://a"'],
    ['[host]\nuri = "https://a/path"'],
    ['[gateway]\nuri = "https://user@a"'],
    ['[network]\nallow_private_peers = 1'],
    ['[chain]\ndenom = "!"'],
    ['[keys]\nowner = "../x"'],
  ])('refuses %j', (text) => {
    const problems = problemsOf(
      `${text.startsWith('[chain]') ? '' : '[chain]\nid = "m"\n'}${text}\n[offer]\nregions = ["eu"]`,
    );
    expect(problems.some((problem) => problem.includes(' must be '))).toBe(true);
  });

  it('wants devices for every graphics processor, and where containers are offered at all', () => {
    const pool = (rest: string): string =>
      `[capacity]\ngpus = [{ vendor = "nvidia", model = "t4", count = 2${rest} }]\n`;
    const withContainers = `${least}services = ["mu-workload"]\n`;
    expect(problemsOf(`${least}${pool('')}`)).toEqual([]);
    expect(problemsOf(`${withContainers}${pool(', devices = ["nvidia:0", "nvidia:GPU-8a56a4bc-e184"]')}`)).toEqual([]);
    expect(problemsOf(`${withContainers}${pool('')}`)).toEqual([
      expect.stringMatching(
        /^\/etc\/mu\/provider\.toml:7: capacity\.gpus offers nvidia\/t4 to containers.*names no devices.*name 2, like/,
      ),
    ]);
    const few = '/etc/mu/provider.toml:6: capacity.gpus has 2 of nvidia/t4, and devices for 1: name one text for each';
    expect(problemsOf(`${least}${pool(', devices = ["nvidia:0"]')}`)).toEqual([`${few} processor`]);
    expect(problemsOf(withContainers, { environment: { MU_PROVIDER_CAPACITY_GPUS: 'a/b=1@/dev/x@/dev/y' } })).toEqual([
      'MU_PROVIDER_CAPACITY_GPUS: capacity.gpus has 1 of a/b, and devices for 2: name one text for each processor',
    ]);
  });

  it.each<[string, object | undefined]>([
    ['nvidia:0', { by: 'nvidia', id: '0' }],
    ['nvidia:0:1', { by: 'nvidia', id: '0:1' }],
    ['nvidia:MIG-GPU-5c89852c/1/0', { by: 'nvidia', id: 'MIG-GPU-5c89852c/1/0' }],
    ['/dev/dri/by-path/pci-0000:03:00.0-render', { by: 'paths', paths: ['/dev/dri/by-path/pci-0000:03:00.0-render'] }],
    ['/dev/dri/renderD128+/dev/kfd', { by: 'paths', paths: ['/dev/dri/renderD128', '/dev/kfd'] }],
    ...[
      '',
      'nvidia:',
      'nvidia:all',
      'nvidia:none',
      'nvidia:0,1',
      'amd:0',
      '/dev',
      '/dev/',
      '/dev/../etc/passwd',
      '/dev//x',
      '/etc/x',
      'dev/x',
      '/dev/a,b',
      '/dev/a+',
      '/dev/a+/dev/a',
      '/dev/a+nvidia:0',
    ].map((text): [string, undefined] => [text, undefined]),
  ])('reads the device %j', (text, device) => {
    expect(parseDevice(text)).toEqual(device);
  });

  it('names the place of a text that is no TOML, and unknown names of environment and flags', () => {
    expect(problemsOf('[chain]\nid = \n')).toEqual([expect.stringMatching(/^\/etc\/mu\/provider\.toml:2:\d+: /)]);
    expect(problemsOf(least, { environment: { MU_PROVIDER_NODE_IDD: 'x' }, flags: { '--nope': 'x' } })).toEqual([
      'MU_PROVIDER_NODE_IDD: no setting has this name',
      '--nope: no setting has this name',
    ]);
    expect(problemsOf(least, { environment: { MU_PROVIDER_HOST_PORT: 'ten' } })).toEqual([
      'MU_PROVIDER_HOST_PORT: host.port must be a whole number from 0 to 65535',
    ]);
  });

  it('takes relative paths from the folder of the file', () => {
    const config = read(`${least}[keys]\nfolder = "../k"\n[node]\ndata_folder = "/var/mu"`);
    expect([config.keys.folder, config.node.dataFolder, config.keys.passwordFile]).toEqual([
      '/etc/k',
      '/var/mu',
      '/etc/mu/keys/password',
    ]);
  });

  it('writes a file that reads back as what was given, with each setting explained', () => {
    const given = {
      chain: { id: 'mu-1', gasPrice: Dec.fromString('0.5') },
      offer: { regions: ['eu', 'us'], attributes: [{ key: 'dc/row', value: 'a "b"' }] },
      capacity: {
        memory: 3n << 30n,
        disk: 1000n,
        gpus: [
          { vendor: 'a', model: 'b.1', count: 2, devices: ['nvidia:0', '/dev/a+/dev/b'] },
          { vendor: 'a', model: 'c', count: 1 },
        ],
      },
      pricing: { gpuModels: [{ name: 'a/b.1', price: Dec.fromString('0.5') }], script: '/opt/price' },
      usage: { prices: [{ metric: 'gateway-requests', price: Dec.fromString('0.5'), per: 1000n }] },
      host: { port: 7443, uri: 'https://provider.example:7443' },
    };
    const text = renderConfig(given);
    const config = read(text);
    for (const [section, values] of Object.entries(given)) {
      expect(config[section as keyof typeof config]).toMatchObject(values);
    }
    for (const { setting } of settings) expect(text).toContain(`# ${setting.doc}`);
    expect(text).toContain('# port = 8080');
  });

  it('writes every default in a form that it reads', () => {
    const text = renderConfig({ chain: { id: 'm' }, offer: { regions: ['eu'] } }).replace(/^# ([a-z_]+ = )/gm, '$1');
    expect(read(text)).toEqual(read('[chain]\nid = "m"\n[offer]\nregions = ["eu"]'));
  });

  it('finds no keys inside texts of several lines', () => {
    expect([...keyLines('a = """\nb = 1\n"""\n[t]\n"c.d" = 1\ne . f = 2').keys()]).toEqual([
      'a',
      't',
      't.c.d',
      't.e.f',
    ]);
  });
});

describe('files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mu-config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('says what to do where there is no file', () => {
    expect(() => loadConfig(join(folder, 'none.toml'))).toThrow(/mu-provider init/);
  });

  it('reads a password only from a file that is its owner’s', () => {
    const file = join(folder, 'password');
    const config = read(`${least}[keys]\npassword_file = ${JSON.stringify(file)}`);
    expect(() => readPassword(config)).toThrow(/cannot be read/);
    writeFileSync(file, 'a secret \n', { mode: 0o644 });
    expect(() => readPassword(config)).toThrow(/chmod 600/);
    rmSync(file);
    writeFileSync(file, 'a secret \n', { mode: 0o600 });
    expect(readPassword(config)).toBe('a secret ');
  });
});
