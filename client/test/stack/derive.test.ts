import { DeploymentInfrastructure } from '@mu/proto/deployment';
import { reserveOf } from '../../src/stack/derive.ts';
import { dec, derive, market, refusal } from './derived.ts';
import { sample, withInfrastructure } from './sample.ts';

describe('a stack without infrastructure', () => {
  it('gets one named main, as design §8 says', () => {
    const derived = derive({ maxPrice: dec('5') });
    expect(derived.infrastructure).toHaveLength(1);
    expect(derived.infrastructure[0]).toMatchObject({
      name: 'main',
      region: 'eu-west',
      provider: '',
      persist: false,
      services: ['mu-db', 'mu-function', 'mu-gateway'],
    });
    expect(derived.infrastructure[0]!.resources).toEqual([
      {
        compute: { cpu: 100, memory: 134217728n, disk: 268435456n, gpu: undefined },
        price: dec('5').atomicsString(),
        collateral: '500',
        count: 1,
      },
    ]);
    // Twice the median of 2 and 4 for 1000, and of the region's lists alone.
    expect(derived.infrastructure[0]!.usageLimits).toEqual([
      {
        metric: 'function-invocations',
        maxPrice: dec('6').atomicsString(),
        maxPricePer: 1000n,
        maxQuantityPerBlock: 1000n,
      },
    ]);
    // 100 × 5 + 50 × 6 × 1000/1000, and 10,000 blocks more.
    expect(derived.reserve).toBe(800n);
    expect(derived.deposit).toBe(50_800n);
    expect(derived.placements).toEqual([
      { infrastructure: 'main', share: 'lease', services: ['simple_backend', 'main_gw', 'main_db'] },
    ]);
  });

  it('is a message of the chain', () => {
    const [main] = derive({ maxPrice: dec('5') }).infrastructure;
    const bytes = DeploymentInfrastructure.encode(main!).finish();
    expect(DeploymentInfrastructure.decode(bytes)).toEqual(main);
  });

  it('adds up its functions and workloads', () => {
    const text = sample
      .replace('runtime: wasi1.0\n', 'runtime: wasi1.0\n    memory: 64MiB\n')
      .replace(
        '  - { type: MuDb',
        '  - { type: MuFunction, name: two, binary: b.wasm, runtime: wasi1.0 }\n  - { type: Workload, name: w, container: c, count: 3, compute: { cpu: 1, memory: 1GiB, disk: 1GiB } }\n  - { type: MuDb',
      );
    const [group] = derive({ maxPrice: dec('5') }, { text }).infrastructure[0]!.resources;
    expect(group!.compute).toEqual({
      cpu: 200 + 3000,
      memory: (64n + 128n + 3072n) << 20n,
      disk: (512n + 3072n) << 20n,
      gpu: undefined,
    });
  });

  it('buys a place for a gateway alone', () => {
    const text = 'name: A\nversion: 1\nservices: [{ type: MuDb, name: db }]\n';
    expect(derive({ maxPrice: dec('1') }, { text }).infrastructure[0]!.resources[0]!.compute!.cpu).toBe(100);
  });

  it('takes flags before the config, and says where each choice is from', () => {
    const config = { region: 'us-east', maxPrice: dec('7'), deposit: 99_999n, share: 'all' } as const;
    const facts = { regions: ['eu-west', 'us-east'] };
    const derived = derive({ region: 'eu-west' }, { config, facts });
    expect(derived.infrastructure[0]).toMatchObject({
      region: 'eu-west',
      resources: [{ price: dec('7').atomicsString() }],
    });
    expect(derived.deposit).toBe(99_999n);
    expect(derived.placements[0]!.share).toBe('all');
    const from = Object.fromEntries(derived.choices.map((choice) => [choice.what, choice.from]));
    expect(from).toMatchObject({ region: '--region', price: 'config', deposit: 'config' });
  });

  it('takes the usage limits of the config that concern its services', () => {
    const limit = { maxPrice: '1', maxPricePer: 1n, maxQuantityPerBlock: 1n };
    const usageLimits = [
      { ...limit, metric: 'gateway-bytes' },
      { ...limit, metric: 'storage-requests' },
    ];
    expect(derive({ maxPrice: dec('5') }, { config: { usageLimits } }).infrastructure[0]!.usageLimits).toEqual([
      usageLimits[0],
    ]);
    expect(refusal(() => derive({ maxPrice: dec('5'), usageLimits: [{ ...limit, metric: 'tea' }] })).code).toBe(
      'metric_unknown',
    );
  });

  it('keeps the collateral within the chain’s bound', () => {
    const derived = derive({ maxPrice: dec('5') }, { facts: { maxCollateral: 42n } });
    expect(derived.infrastructure[0]!.resources[0]!.collateral).toBe('42');
  });

  it('says what to do where a choice is missing', () => {
    const facts = { regions: ['eu-west', 'us-east'] };
    expect(refusal(() => derive({ maxPrice: dec('5') }, { facts })).message).toContain('--region');
    expect(refusal(() => derive({ maxPrice: dec('5') }, { facts })).code).toBe('region_missing');
    expect(refusal(() => derive({ region: 'moon', maxPrice: dec('5') }))).toMatchObject({
      code: 'region_unknown',
      message: expect.stringContaining('eu-west'),
    });
    expect(refusal(() => derive({ maxPrice: dec('0') })).code).toBe('price_zero');
    expect(refusal(() => derive({ maxPrice: dec('5'), deposit: 799n })).message).toContain('800 umu');
    const gpu =
      'name: A\nversion: 1\nservices: [{ type: Workload, name: w, container: c, compute: { cpu: 1, memory: 1GiB, gpu: { count: 1 } } }]\n';
    expect(refusal(() => derive({ maxPrice: dec('5') }, { text: gpu })).code).toBe('gpu');
  });

  it('shows what the region’s providers last asked where there is no price', () => {
    const error = refusal(() => derive({}));
    expect(error.code).toBe('price_missing');
    expect(error.asks.map(({ provider }) => provider)).toEqual(['mu1cheap', 'mu1dear']);
    expect(error.message).toMatch(/--max-price[\s\S]*mu1cheap asked 4 umu[\s\S]*mu1dear asked 9.5 umu/);
    expect(error.message).not.toContain('mu1far');
  });
});

describe('a stack with infrastructure', () => {
  it('buys what stands there', () => {
    const derived = derive({}, { text: withInfrastructure });
    expect(derived.infrastructure).toEqual([
      {
        name: 'west',
        region: 'eu-west',
        provider: '',
        excludedProviders: [],
        persist: true,
        services: ['mu-db', 'mu-function', 'mu-gateway'],
        attributes: [
          { key: 'arch', value: 'amd64' },
          { key: 'tier', value: 'gold' },
        ],
        auditedBy: [],
        resources: [
          {
            compute: { cpu: 250, memory: 1n << 28n, disk: 1n << 30n, gpu: { count: 1, vendor: 'nvidia', model: '' } },
            price: dec('1.5').atomicsString(),
            collateral: '1000',
            count: 2,
          },
        ],
        usageLimits: [
          {
            metric: 'function-invocations',
            maxPrice: dec('0.5').atomicsString(),
            maxPricePer: 1000n,
            maxQuantityPerBlock: 100n,
          },
        ],
        expectedUsage: [{ metric: 'function-invocations', quantityPerBlock: 10n }],
      },
    ]);
    expect(derived.placements[0]).toMatchObject({ infrastructure: 'west', share: 'all' });
    // 100 × 1.5 × 2 + 50 × 0.5 × 100 / 1000 = 302.5, rounded up.
    expect(derived.reserve).toBe(303n);
  });

  it('refuses another price beside it, and a region that the chain does not know', () => {
    expect(refusal(() => derive({ maxPrice: dec('5') }, { text: withInfrastructure })).code).toBe('price_twice');
    expect(refusal(() => derive({}, { text: withInfrastructure, facts: { regions: ['us-east'] } })).code).toBe(
      'region_unknown',
    );
  });

  it('places services where they say', () => {
    const second = withInfrastructure.replace(
      'infrastructure:\n',
      'infrastructure:\n  - { name: east, region: eu-west, resources: [{ compute: { cpu: 1, memory: 1GiB }, price: 1 }] }\n',
    );
    const text = second.replace('name: main_db }', 'name: main_db, infrastructure: [west] }');
    const derived = derive({}, { text });
    expect(derived.infrastructure.map(({ services }) => services)).toEqual([
      ['mu-function', 'mu-gateway'],
      ['mu-db', 'mu-function', 'mu-gateway'],
    ]);
    expect(derived.placements[0]!.services).toEqual(['simple_backend', 'main_gw']);
  });
});

it('the reserve covers all that can be billed in the window', () => {
  const [main] = derive({ maxPrice: dec('5') }).infrastructure;
  expect(reserveOf([main!, main!], market)).toBe(1600n);
});
