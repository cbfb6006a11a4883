/** Where the provider answers: its own listener, the gateway, and the figures for its operator. */
import * as kind from '../kinds.ts';
import { type PortRange, portRange } from '../port-range.ts';
import { type Section, setting } from '../setting.ts';

export const host = {
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
} satisfies Section;

export const gateway = {
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
} satisfies Section;

export const metrics = {
  doc: 'Figures for Prometheus and health checks, on an address of their own: for the operator, not for the public.',
  settings: {
    address: setting(kind.listenAddress, '127.0.0.1', 'Address to listen on.'),
    port: setting(kind.whole(0, 65_535), 0, 'Port of /metrics, /health and /ready; 0: none.'),
  },
} satisfies Section;
