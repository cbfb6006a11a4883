/** The machine: what may be leased of it, and how workloads run on it. */
import { Dec } from '@mu/lib/dec';
import { gpus } from '../gpus.ts';
import * as kind from '../kinds.ts';
import { type Section, setting } from '../setting.ts';

const nodeId = kind.textLike('lower-case letters, digits and "-", at most 64', /^[a-z0-9-]{1,64}$/);
const subnet = kind.textLike('an address or a subnet like 10.0.0.0/8', /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/);
const resolver = kind.textLike('an address and a port like 1.1.1.1:53', /^\d{1,3}(\.\d{1,3}){3}:\d{1,5}$/);

export const node = {
  doc: 'This machine.',
  settings: {
    id: setting(nodeId, 'node-1', 'Id of the node within the provider.'),
    dataFolder: setting(kind.path, 'data', 'Folder of the journal, manifests and certificates.'),
    logLevel: setting(
      kind.textLike('trace, debug, info, warn, error or silent', /^(trace|debug|info|warn|error|silent)$/),
      'info',
      'How much is logged.',
    ),
  },
} satisfies Section;

export const capacity = {
  doc: 'What may be leased of this machine. More than it has is refused at the start.',
  settings: {
    cpu: setting(kind.count(0n), 0n, 'Thousandths of a core; 0: all.'),
    memory: setting(kind.size, 0n, 'Memory; 0: all.'),
    disk: setting(kind.size, 0n, 'Disk; 0: all that is free where the data folder is, and what it has of it already.'),
    cpuOvercommit: setting(
      kind.factor,
      Dec.fromString('1'),
      'How often a core is sold: leases rarely use theirs at once.',
    ),
    memoryOvercommit: setting(
      kind.factor,
      Dec.fromString('1'),
      'How often memory is sold; above 1 leases may be killed for it.',
    ),
    gpus: setting(
      gpus,
      [],
      'Graphics processors; they are not looked for. What containers get of each stands in its devices.',
    ),
  },
} satisfies Section;

export const containers = {
  doc: 'How containers run, where mu-workload is among the offered services. Needs Docker and nftables, as root.',
  settings: {
    socket: setting(kind.path, '/var/run/docker.sock', 'Socket of the engine.'),
    networkPool: setting(
      subnet,
      '10.213.0.0/16',
      'Addresses of the networks of workloads; nothing else on this machine may use them.',
    ),
    deniedNetworks: setting(
      kind.listOf(subnet),
      [],
      'Further addresses that no workload may reach: your own public ones. Private ones are never reached.',
    ),
    resolvers: setting(
      kind.listOf(resolver),
      ['1.1.1.1:53', '9.9.9.9:53'],
      'Asked for names by workloads with egress: public.',
    ),
    maxImage: setting(kind.size, 4n << 30n, 'Largest image, compressed.'),
    maxImageUnpacked: setting(kind.size, 10n << 30n, 'Largest image on the disk.'),
    volumeRetentionHours: setting(kind.whole(0, 8760), 24, 'Volumes are kept so long after their lease.'),
    allowPrivateRegistries: setting(kind.yesNo, false, 'Pull from private addresses; for local networks only.'),
  },
} satisfies Section;

export const workloads = {
  doc: 'How functions run.',
  settings: {
    maxInstances: setting(kind.whole(1, 1024), 4, 'Most instances that run at the same time for one lease.'),
    callTimeoutMs: setting(
      kind.whole(1, 300_000),
      30_000,
      'Longest run of a call, in milliseconds; a manifest may ask for less.',
    ),
  },
} satisfies Section;
