/** The gateway's part of the config, as plain data that goes through a socket, and what is made of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { AcmeCertificates } from '../acme/acme-certificates.ts';
import type { ProviderConfig } from '../config/schema.ts';
import { CertificateChoice, type CertificateSource, FileCertificate } from './certificates.ts';
import { Challenges } from './challenges.ts';
import type { GatewayOptions, ListenOptions } from './gateway.ts';
import type { GatewayLimits } from './limits.ts';

export interface GatewaySettings {
  readonly listen: ListenOptions;
  readonly domain: string;
  readonly limits: Partial<GatewayLimits>;
  /** Paths of PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly acme?: {
    readonly directoryUrl: string;
    readonly email: string;
    /** Path of a PEM file; empty: the authority is known to all. */
    readonly ca: string;
    /** Where account and certificates are kept. */
    readonly folder: string;
  };
}

/** @throws Error for settings that contradict each other */
export function gatewaySettings({ gateway, node }: Pick<ProviderConfig, 'gateway' | 'node'>): GatewaySettings {
  const { tlsCert, tlsKey, acmeDirectory, acmeEmail, acmeCa, httpPort } = gateway;
  if ((tlsCert === '') !== (tlsKey === '')) {
    throw new Error('gateway.tls_cert and gateway.tls_key belong together: set both, or none');
  }
  if (acmeDirectory !== '' && httpPort === 0) {
    throw new Error('gateway.acme_directory needs gateway.http_port: the ACME authority asks at port 80 of each name');
  }
  const isSecure = usesTls(gateway);
  if (!isSecure && httpPort !== 0) {
    throw new Error('gateway.http_port is of use with TLS only: set gateway.tls_cert or gateway.acme_directory');
  }
  const folder = join(node.dataFolder, 'acme');
  return {
    listen: { host: gateway.address, port: gateway.port, ...(httpPort === 0 ? {} : { plainPort: httpPort }) },
    domain: gateway.domain,
    limits: {
      bodyBytes: Number(gateway.maxBody),
      connections: gateway.maxConnections,
      connectionsPerClient: gateway.maxConnectionsPerClient,
      calls: gateway.maxRequests,
      callsPerDeployment: gateway.maxRequestsPerDeployment,
      drainMs: gateway.drainS * 1_000,
    },
    ...(tlsCert === '' ? {} : { tls: { cert: tlsCert, key: tlsKey } }),
    ...(acmeDirectory === '' ? {} : { acme: { directoryUrl: acmeDirectory, email: acmeEmail, ca: acmeCa, folder } }),
  };
}

/** Whether clients come in by TLS. */
export function usesTls({ tlsCert, acmeDirectory }: ProviderConfig['gateway']): boolean {
  return tlsCert !== '' || acmeDirectory !== '';
}

/** How often files of certificates are looked at, and names that need one. */
const checkMs = 10_000;

export interface OpenedCertificates {
  /** For `new Gateway`. */
  readonly options: Pick<GatewayOptions, 'certificates' | 'challenges' | 'domain' | 'limits'>;
  readonly acme: AcmeCertificates | undefined;
  /** No file is looked at and no authority asked any more. */
  close(): void;
}

/**
 * What a gateway needs of its settings; from now on certificates are renewed.
 * @throws Error where a certificate cannot be used
 */
export function openSettings(settings: GatewaySettings, log: Pick<Logger, 'info' | 'warn'>): OpenedCertificates {
  const { tls, acme: wanted, domain, limits } = settings;
  const challenges = new Challenges();
  const files = tls === undefined ? undefined : new FileCertificate({ ...tls, now: Date.now, log });
  const acme =
    wanted === undefined
      ? undefined
      : new AcmeCertificates({
          ...{ directoryUrl: wanted.directoryUrl, email: wanted.email, folder: wanted.folder },
          ...(wanted.ca === '' ? {} : { ca: readFileSync(wanted.ca, 'utf8') }),
          ...{ challenges, now: Date.now, log },
        });
  const sources = [files, acme].filter((one): one is NonNullable<typeof one> => one !== undefined);
  const certificates: CertificateSource | undefined = sources.length === 0 ? undefined : new CertificateChoice(sources);
  const timer = setInterval(() => {
    files?.check();
    acme?.check().catch(() => {});
  }, checkMs).unref();
  return {
    options: {
      limits,
      ...(domain === '' ? {} : { domain }),
      ...(certificates === undefined ? {} : { certificates, challenges }),
    },
    acme,
    close: () => clearInterval(timer),
  };
}
