import { describe, expect, test } from '@jest/globals';
import { type ContainerSurroundings, createBody, userOf } from '../../../src/workloads/container/create-options.ts';
import type { ContainerSpec } from '../../../src/workloads/driver.ts';

const mebibyte = 1024 * 1024;

const spec: ContainerSpec = {
  deployment: '12',
  service: 'my_app',
  artifact: { kind: 'image', image: { from: 'registry', reference: `x/y@sha256:${'0'.repeat(64)}` } },
  memoryBytes: 64 * mebibyte,
  cpu: 1500,
  count: 2,
  command: ['/bin/app', '--flag'],
  env: { A: '1', B: 'a=b' },
  user: '1000',
  ports: [{ port: 80, protocol: 'tcp' }],
  egress: 'public',
  volumes: [{ name: 'data', path: '/data', bytes: 8 * mebibyte }],
};

const around: ContainerSurroundings = {
  provider: 'mu1provider',
  place: { deployment: '12', service: 'my_app', instance: 1, specHash: 'abcd' },
  image: 'mu/p/12:app.1',
  imageUser: '',
  imageVolumes: ['/data', '/cache/'],
  network: { name: 'mu_net', gateway: '10.1.0.1', address: '10.1.0.3' },
  volumeFolders: new Map([['data', '/srv/volumes/data']]),
  mountedFiles: new Map(),
  resolverFile: '/srv/resolvers/10.1.0.1',
  handed: { devices: [], groups: [] },
  hasIpv6: true,
};

/** All of it: whatever is added to a container is seen here. */
const whole = {
  Image: 'mu/p/12:app.1',
  Hostname: 'my-app-1',
  User: '1000:1000',
  Env: ['A=1', 'B=a=b'],
  Entrypoint: ['/bin/app', '--flag'],
  Tty: false,
  OpenStdin: false,
  StopTimeout: 10,
  Healthcheck: { Test: ['NONE'] },
  Labels: {
    'mu.provider': 'mu1provider',
    'mu.lease': '12',
    'mu.service': 'my_app',
    'mu.instance': '1',
    'mu.spec': 'abcd',
    'mu.address': '10.1.0.3',
  },
  HostConfig: {
    Privileged: false,
    CapDrop: ['ALL'],
    CapAdd: [],
    SecurityOpt: ['no-new-privileges:true'],
    ReadonlyRootfs: true,
    IpcMode: 'private',
    PidMode: '',
    UTSMode: '',
    CgroupnsMode: 'private',
    Devices: [],
    DeviceRequests: [],
    PublishAllPorts: false,
    Init: true,
    RestartPolicy: { Name: 'on-failure' },
    LogConfig: { Type: 'json-file', Config: { 'max-size': '4m', 'max-file': '3' } },
    Memory: 64 * mebibyte,
    MemorySwap: 64 * mebibyte,
    CpuPeriod: 100_000,
    CpuQuota: 150_000,
    PidsLimit: 512,
    OomKillDisable: false,
    OomScoreAdj: 200,
    ShmSize: 8 * mebibyte,
    Ulimits: [
      { Name: 'nofile', Soft: 16_384, Hard: 16_384 },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
    NetworkMode: 'mu_net',
    Dns: ['10.1.0.1'],
    DnsSearch: ['mu.internal'],
    DnsOptions: ['ndots:1', 'timeout:2', 'attempts:2'],
    Sysctls: {
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv6.conf.all.disable_ipv6': '1',
      'net.ipv6.conf.default.disable_ipv6': '1',
    },
    Tmpfs: {
      '/tmp': `rw,exec,nosuid,nodev,size=${32 * mebibyte},mode=1777,uid=1000,gid=1000`,
      '/run': `rw,exec,nosuid,nodev,size=${8 * mebibyte},mode=0755,uid=1000,gid=1000`,
      '/cache': `rw,exec,nosuid,nodev,size=${16 * mebibyte},mode=0755,uid=1000,gid=1000`,
    },
    Mounts: [
      {
        Type: 'bind',
        Source: '/srv/resolvers/10.1.0.1',
        Target: '/etc/resolv.conf',
        ReadOnly: true,
        BindOptions: { Propagation: 'rprivate' },
      },
      {
        Type: 'bind',
        Source: '/srv/volumes/data',
        Target: '/data',
        ReadOnly: false,
        BindOptions: { Propagation: 'rprivate' },
      },
    ],
  },
  NetworkingConfig: { EndpointsConfig: { mu_net: { IPAMConfig: { IPv4Address: '10.1.0.3' } } } },
};

describe('what the engine is asked for', () => {
  test('is this, whole', () => {
    expect(createBody(spec, around)).toEqual(whole);
  });

  test('without a command the image’s own entry point runs; without IPv6 in the kernel none is switched off', () => {
    const { command: _command, user: _user, ...plain } = spec;
    const body = createBody(plain, { ...around, hasIpv6: false });
    expect('Entrypoint' in body).toBe(false);
    expect(body.User).toBe('65534:65534');
    expect(body.HostConfig!.Sysctls).toEqual({ 'net.ipv4.ip_unprivileged_port_start': '0' });
  });

  test('devices of its lease are handed over, and nothing else is another', () => {
    const nvidia = { devices: ['nvidia:0', 'nvidia:GPU-8a56'], groups: [] };
    expect(createBody(spec, { ...around, handed: nvidia })).toEqual({
      ...whole,
      Labels: { ...whole.Labels, 'mu.gpus': 'nvidia:0,nvidia:GPU-8a56' },
      HostConfig: {
        ...whole.HostConfig,
        DeviceRequests: [{ Driver: 'nvidia', DeviceIDs: ['0', 'GPU-8a56'], Capabilities: [['gpu']] }],
      },
    });
    const amd = { devices: ['/dev/dri/renderD128+/dev/kfd', '/dev/dri/renderD129+/dev/kfd'], groups: [105] };
    const rw = (path: string) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rw' });
    expect(createBody(spec, { ...around, handed: amd })).toEqual({
      ...whole,
      Labels: { ...whole.Labels, 'mu.gpus': amd.devices.join(',') },
      HostConfig: {
        ...whole.HostConfig,
        Devices: [rw('/dev/dri/renderD128'), rw('/dev/kfd'), rw('/dev/dri/renderD129')],
        GroupAdd: ['105'],
      },
    });
  });

  test('files of its manifest are mounted one by one, to be read; a folder of the image gives way to one', () => {
    const file = (path: string) => ({ path, source: '/srv/manifests/x/file-0', sha256: 'ab' });
    const files = [file('/models/a'), file('/cache')];
    const mountedFiles = new Map(files.map(({ path }, at) => [path, `/srv/mounted-files/12~my_app/${at}`]));
    const { '/cache': _, ...tmpfs } = whole.HostConfig.Tmpfs;
    const mount = (at: number, target: string) => ({
      ...{ Type: 'bind', Source: `/srv/mounted-files/12~my_app/${at}`, Target: target, ReadOnly: true },
      BindOptions: { Propagation: 'rprivate' },
    });
    expect(createBody({ ...spec, files }, { ...around, mountedFiles })).toEqual({
      ...whole,
      HostConfig: {
        ...whole.HostConfig,
        Tmpfs: tmpfs,
        Mounts: [...whole.HostConfig.Mounts, mount(0, '/models/a'), mount(1, '/cache')],
      },
    });
  });

  test.each([
    [undefined, '', '65534:65534'],
    [undefined, 'root', '65534:65534'],
    [undefined, '0', '65534:65534'],
    [undefined, '0:0', '65534:65534'],
    [undefined, '1000', '1000:1000'],
    [undefined, '1000:0', '65534:65534'],
    [undefined, '1000:2000', '1000:2000'],
    [undefined, 'app:app', '65534:65534'],
    ['5:6', '1000', '5:6'],
  ])('user %s over the image’s “%s” is %s', (user, imageUser, expected) => {
    const { uid, gid } = userOf(user === undefined ? {} : { user }, imageUser);
    expect(`${uid}:${gid}`).toBe(expected);
  });
});
