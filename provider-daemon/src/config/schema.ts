/** Every setting of `mu-provider`: kind, default and meaning in one place. */
import { Dec } from '@mu/lib/dec';
import { gpuPrices, gpus } from './gpus.ts';
import type { Kind } from './kinds.ts';
import * as kind from './kinds.ts';
import { type PortRange, portRange } from './port-range.ts';

/** One setting. Without a default it must be given. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  readonly fallback: T | undefined;
  readonly doc: string;
}

export interface Section {
  readonly doc: string;
  // biome-ignore lint/suspicious/noExplicitAny: settings of all types stand side by side; SectionOf gives each its own
  readonly settings: Readonly<Record<string, Setting<any>>>;
}

const setting = <T>(of: Kind<T>, fallback: T, doc: string): Setting<T> => ({ kind: of, fallback, doc });
const required = <T>(of: Kind<T>, doc: string): Setting<T> => ({ kind: of, fallback: undefined, doc });

const name = kind.textLike('lower-case letters, digits, "-" and "_", at most 64', /^[a-z0-9][a-z0-9_-]{0,63}$/);
const nodeId = kind.textLike('lower-case letters, digits and "-", at most 64', /^[a-z0-9-]{1,64}$/);
const region = kind.textLike('a region that the chain knows', /^[a-z0-9][a-z0-9._-]{0,63}$/);
const service = kind.textLike('a type of service like mu-function', /^[a-z0-9][a-z0-9._-]{0,63}$/);
const account = kind.textLike('an address like mu1…', /^[a-z][a-z0-9]{1,100}$/);
const subnet = kind.textLike('an address or a subnet like 10.0.0.0/8', /^\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?$/);
const resolver = kind.textLike('an address and a port like 1.1.1.1:53', /^\d{1,3}(\.\d{1,3}){3}:\d{1,5}$/);
const trustedHash = kind.textLike('64 hex digits, or empty', /^([0-9a-fA-F]{64})?$/);
const dec = (text: string): Dec => Dec.fromString(text);

/** The settings by section, in the order in which the file shows them. Names in the file are the same in snake_case. */
export const schema = {
  chain: {
    doc: 'The chain that the provider serves.',
    settings: {
      rpcUrl: setting(kind.httpUrl, 'http://127.0.0.1:26657', 'RPC of a node that you trust, best your own.'),
      id: required(kind.textLike('1 to 50 printable characters', /^[\x21-\x7e]{1,50}$/), 'Id of the chain.'),
      gasPrice: setting(kind.decimal, dec('0.0025'), 'What is paid for a unit of gas, in the denomination below.'),
      prefix: setting(
        kind.textLike('lower-case letters and digits', /^[a-z][a-z0-9]{0,82}$/),
        'mu',
        'Prefix of addresses.',
      ),
      denom: setting(kind.denom, 'umu', 'Base denomination.'),
      pollMs: setting(kind.whole(10, 60_000), 250, 'How often the node is asked for a new block, in milliseconds.'),
    },
  },
  trust: {
    doc: 'By what the node is checked: leases, deployments and providers are proved before anything is given out.',
    settings: {
      node: setting(kind.yesNo, false, 'Believe the node without proofs; for your own node on a network of your own.'),
      genesisHash: setting(trustedHash, '', 'Hash of the genesis; `mucli trust` shows it.'),
      height: setting(kind.count(0n), 0n, 'Height of a trusted block, newer than the genesis; 0: none.'),
      hash: setting(trustedHash, '', 'Hash of the block at that height.'),
      periodHours: setting(
        kind.whole(1, 100_000),
        336,
        'For so long a verified block vouches for later ones; well below the time for which stake is bound.',
      ),
      witnesses: setting(kind.listOf(kind.httpUrl), [], 'RPCs of further nodes that must show the same blocks.'),
      maxViewAgeS: setting(
        kind.whole(1, 86_400),
        600,
        'Oldest view of the chain on which anything is given out, in seconds.',
      ),
    },
  },
  keys: {
    doc: 'Accounts. The owner registers and publishes prices; the operator bids, confirms and reports, and nothing else.',
    settings: {
      folder: setting(kind.path, 'keys', 'Folder of the encrypted keys.'),
      passwordFile: setting(
        kind.path,
        'keys/password',
        'File with the password of the keys; only its owner may read it.',
      ),
      owner: setting(name, 'owner', 'Name of the owner’s key.'),
      operator: setting(name, 'operator', 'Name of the operator’s key; it may be the owner’s.'),
      payout: setting(
        kind.textLike('an address like mu1…, or empty', /^([a-z][a-z0-9]{1,100})?$/),
        '',
        'Address that receives what is earned; empty: the owner’s.',
      ),
    },
  },
  node: {
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
  },
  offer: {
    doc: 'What is offered. An order that asks for more is not bid for.',
    settings: {
      regions: required(kind.listOf(region, 1), 'Regions that are served; the first is where this node stands.'),
      services: setting(
        kind.listOf(service, 1),
        ['mu-db', 'mu-function', 'mu-gateway'],
        'Types of services that are offered.',
      ),
      attributes: setting(kind.attributes, [], 'Facts that orders may ask for.'),
    },
  },
  host: {
    doc: 'The provider’s own listener (TLS 1.3): here users hand over manifests and read logs, and other providers open tunnels.',
    settings: {
      address: setting(kind.listenAddress, '0.0.0.0', 'Address to listen on.'),
      port: setting(kind.whole(0, 65_535), 8443, 'Port to listen on; 0 takes any free one.'),
      uri: setting(
        kind.origin(['https'], { orEmpty: true }),
        '',
        'Public address, as the chain shows it; empty: https://<address>:<port>.',
      ),
    },
  },
  gateway: {
    doc: 'The public door of functions and containers.',
    settings: {
      address: setting(kind.listenAddress, '0.0.0.0', 'Address to listen on.'),
      port: setting(kind.whole(0, 65_535), 8080, 'Port to listen on; 0 takes any free one.'),
      uri: setting(
        kind.origin(['http', 'https'], { orEmpty: true }),
        '',
        'Public address, as the chain shows it; empty: http://<address>:<port>, or https:// where TLS is on.',
      ),
      domain: setting(
        kind.textLike('a host name, or empty', /^([a-z0-9-]+(\.[a-z0-9-]+)*)?$/),
        '',
        'Deployments answer at <label>.<domain>; empty: at the path /~<label>/.',
      ),
      tlsCert: setting(
        kind.optionalPath,
        '',
        'Certificate of the gateway’s names in PEM, with those that vouch for it; read again when it changes. Empty: none.',
      ),
      tlsKey: setting(kind.optionalPath, '', 'Its private key in PEM.'),
      acmeDirectory: setting(
        kind.textLike('an https:// address, or empty', /^(https:\/\/[^\s#?]{1,2000})?$/),
        '',
        'Directory of an ACME authority, from which host names get their certificates; its terms count as agreed to. Empty: none.',
      ),
      acmeEmail: setting(
        kind.textLike('an e-mail address, or empty', /^([^\s@]{1,64}@[^\s@]{1,255})?$/),
        '',
        'Whom the ACME authority may write to.',
      ),
      acmeCa: setting(
        kind.optionalPath,
        '',
        'Certificate in PEM by which an ACME authority of your own is known; empty: a public one.',
      ),
      httpPort: setting(
        kind.whole(0, 65_535),
        0,
        'With TLS: port for plain HTTP, which leads to HTTPS and answers the ACME authority, who asks at port 80; 0: none.',
      ),
      ports: setting<PortRange | 'none'>(
        portRange,
        'none',
        'Public TCP and UDP ports that containers may have, at the address above; empty: none are offered.',
      ),
      nameServers: setting(
        kind.listOf(kind.textLike('an IP address', /^[0-9a-fA-F.:]{2,45}$/)),
        [],
        'Name servers by which custom host names are proved; none: those of the system.',
      ),
      maxBody: setting(kind.size, 10n << 20n, 'Largest body of a request to a function.'),
      maxConnections: setting(
        kind.whole(16, 1_000_000),
        16_384,
        'Connections in all; each takes a file descriptor. For one more, the one that was idle the longest is closed.',
      ),
      maxConnectionsPerClient: setting(
        kind.whole(1, 1_000_000),
        2_048,
        'Connections of one client: an IPv4 address, or an IPv6 network of 64 bits.',
      ),
      maxRequests: setting(kind.whole(1, 1_000_000), 4_096, 'Requests under way in all; beyond it 503.'),
      maxRequestsPerDeployment: setting(
        kind.whole(1, 1_000_000),
        512,
        'Requests under way of one deployment; beyond it 429.',
      ),
      drainS: setting(
        kind.whole(0, 3_600),
        30,
        'How long requests under way may go on when the gateway is shut down, in seconds.',
      ),
      orphanMinutes: setting(
        kind.whole(1, 525_600),
        60,
        'It is served so long without a daemon that watches the chain; then the data plane ends.',
      ),
    },
  },
  manifests: {
    doc: 'Manifests of deployments that are, or were, served here, and how they are shared with the other participants.',
    settings: {
      uploadRateBytes: setting(
        kind.whole(0, 1_000_000_000_000),
        0,
        'Bytes a second that are sent to other participants, of all manifests together; 0: no limit.',
      ),
      downloadRateBytes: setting(
        kind.whole(0, 1_000_000_000_000),
        0,
        'Bytes a second that are taken from other participants, of all manifests together; 0: no limit.',
      ),
      maxPeers: setting(kind.whole(1, 10_000), 256, 'Connections with other participants at a time, of all manifests.'),
      serveGraceBlocks: setting(
        kind.count(0n),
        100n,
        'Blocks for which a manifest is kept after its last lease here has ended normally, so that its other participants can take it; 0: it is erased at once.',
      ),
    },
  },
  network: {
    doc: 'With whom the daemon speaks.',
    settings: {
      allowPrivatePeers: setting(
        kind.yesNo,
        false,
        'Allow private, loopback and link-local peers; for local networks only.',
      ),
    },
  },
  capacity: {
    doc: 'What may be leased of this machine. More than it has is refused at the start.',
    settings: {
      cpu: setting(kind.count(0n), 0n, 'Thousandths of a core; 0: all.'),
      memory: setting(kind.size, 0n, 'Memory; 0: all.'),
      disk: setting(
        kind.size,
        0n,
        'Disk; 0: all that is free where the data folder is, and what it has of it already.',
      ),
      cpuOvercommit: setting(kind.factor, dec('1'), 'How often a core is sold: leases rarely use theirs at once.'),
      memoryOvercommit: setting(
        kind.factor,
        dec('1'),
        'How often memory is sold; above 1 leases may be killed for it.',
      ),
      gpus: setting(
        gpus,
        [],
        'Graphics processors; they are not looked for. What containers get of each stands in its devices.',
      ),
    },
  },
  containers: {
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
  },
  workloads: {
    doc: 'How functions run.',
    settings: {
      maxInstances: setting(kind.whole(1, 1024), 4, 'Most instances that run at the same time for one lease.'),
      callTimeoutMs: setting(
        kind.whole(1, 300_000),
        30_000,
        'Longest run of a call, in milliseconds; a manifest may ask for less.',
      ),
    },
  },
  pricing: {
    doc: 'What is asked for a replica, in umu per block.',
    settings: {
      cpu: setting(kind.decimal, dec('0.05'), 'For a thousandth of a core.'),
      memoryMib: setting(kind.decimal, dec('0.01'), 'For a MiB of memory.'),
      diskGib: setting(kind.decimal, dec('0.1'), 'For a GiB of disk.'),
      gpu: setting(kind.decimal, dec('500'), 'For a graphics processor whose model is not among the next ones.'),
      gpuModels: setting(gpuPrices, [], 'For a graphics processor, by vendor and model.'),
      floor: setting(kind.decimal, dec('1'), 'The least that is asked for a replica.'),
      script: setting(
        kind.optionalPath,
        '',
        'A program that is asked for the price of each order instead, by JSON on stdin and stdout; empty: none.',
      ),
      scriptTimeoutMs: setting(kind.whole(10, 60_000), 2_000, 'Longest run of the program, in milliseconds.'),
      scriptJobs: setting(kind.whole(1, 64), 4, 'How many of these programs run at a time.'),
    },
  },
  usage: {
    doc: 'What is asked for usage, and how often it is reported.',
    settings: {
      prices: setting(kind.prices, [], 'Prices by metric, in umu for so many base units.'),
      reportEveryBlocks: setting(kind.count(1n), 20n, 'Blocks between two usage reports of a lease.'),
    },
  },
  metrics: {
    doc: 'Figures for Prometheus and health checks, on an address of their own: for the operator, not for the public.',
    settings: {
      address: setting(kind.listenAddress, '127.0.0.1', 'Address to listen on.'),
      port: setting(kind.whole(0, 65_535), 0, 'Port of /metrics, /health and /ready; 0: none.'),
    },
  },
  bidding: {
    doc: 'How bids are made and leases kept.',
    settings: {
      maxCollateral: setting(kind.count(0n), 100_000_000n, 'Most collateral that one bid may lock, in umu.'),
      maxTotalCollateral: setting(
        kind.count(0n),
        10_000_000_000n,
        'Most collateral that all open bids and leases together may lock, in umu.',
      ),
      maxOpenBids: setting(
        kind.whole(1, 1_000_000),
        500,
        'Most bids that may be open at a time; the chain has a limit of its own.',
      ),
      allowOwners: setting(kind.listOf(account), [], 'Owners of deployments that alone are served; empty: everybody.'),
      denyOwners: setting(kind.listOf(account), [], 'Owners of deployments that are not served.'),
      confirmEveryBlocks: setting(
        kind.count(1n),
        10n,
        'Blocks between two confirmations of a lease; well below the chain’s limit.',
      ),
    },
  },
} satisfies Readonly<Record<string, Section>>;

type ValueOf<S> = S extends Setting<infer T> ? T : never;
type SectionOf<S extends Section> = { readonly [K in keyof S['settings']]: ValueOf<S['settings'][K]> };

/** A checked config. */
export type ProviderConfig = { readonly [K in keyof typeof schema]: SectionOf<(typeof schema)[K]> };

/** Some of the settings. */
export type PartialConfig = { readonly [K in keyof ProviderConfig]?: Partial<ProviderConfig[K]> };

/** A setting with all its names. */
export interface NamedSetting {
  readonly section: string;
  readonly key: string;
  /** In the file: `chain.rpc_url`. */
  readonly path: string;
  /** `MU_PROVIDER_CHAIN_RPC_URL`. */
  readonly environment: string;
  /** `--chain-rpc-url`. */
  readonly flag: string;
  readonly setting: Setting<unknown>;
}

/** `rpcUrl` → `rpc_url`. */
export function snakeCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** All settings in the order of the file. */
export const settings: readonly NamedSetting[] = Object.entries<Section>(schema).flatMap(
  ([section, { settings: own }]) =>
    Object.entries(own).map(([key, one]) => {
      const path = `${snakeCase(section)}.${snakeCase(key)}`;
      return {
        section,
        key,
        path,
        environment: `MU_PROVIDER_${path.replace('.', '_').toUpperCase()}`,
        flag: `--${path.replace(/[._]/g, '-')}`,
        setting: one as Setting<unknown>,
      };
    }),
);
