/**
 * What concerns several fields of a stack file at once: names given twice, references to nothing, contradictions, and
 * what the chain knows (regions, services, metrics). They look at the raw values and pass over what the schema refuses
 * anyway, so that one run shows every mistake.
 */

import { type ServiceType, serviceKinds } from './common-schema.ts';
import { sizeText } from './fields.ts';
import { mountedFileBreaches } from './mounted-file-rules.ts';
import { type Breach, shown } from './problems.ts';
import { standbyBreaches } from './standby-rules.ts';
import { parseSize } from './units.ts';
import type { YamlValue } from './yaml-tree.ts';

/** What is known of the chain when a file is read; what is left out is not checked. */
export interface StackKnowledge {
  /** x/provider's `regions`. */
  readonly regions?: readonly string[];
  /** x/provider's `services`. */
  readonly services?: readonly string[];
  /** Names of x/provider's `metrics`. */
  readonly metrics?: readonly string[];
}

type Fields = { readonly [key: string]: YamlValue };
type Path = readonly (string | number)[];

/** Every rule that the value of a stack file breaks. */
export function breaches(value: YamlValue, known: StackKnowledge): Breach[] {
  const root = fieldsOf(value);
  const services = listOf(root['services']).map(fieldsOf);
  const infrastructure = listOf(root['infrastructure']).map(fieldsOf);
  return [
    ...repeated(services, 'name', ['services']),
    ...repeated(infrastructure, 'name', ['infrastructure']),
    ...repeatedHosts(services),
    ...services.flatMap((service, i) => serviceBreaches(service, ['services', i], services, infrastructure)),
    ...infrastructure.flatMap((one, i) => infrastructureBreaches(one, ['infrastructure', i], services, known)),
    ...standbyBreaches(infrastructure),
    ...idleInfrastructure(infrastructure, services),
  ];
}

function serviceBreaches(service: Fields, path: Path, services: readonly Fields[], infrastructure: readonly Fields[]) {
  const known = infrastructure.flatMap((one) => textsOf([one['name']]));
  const found: Breach[] = [...repeatedEnv(service, path)];
  listOf(service['infrastructure']).forEach((name, i) => {
    if (typeof name !== 'string' || known.includes(name)) return;
    const allowed = known.length > 0 ? known.join(', ') : 'nothing, as the file has no infrastructure';
    found.push({ path: [...path, 'infrastructure', i], message: `there is no infrastructure ${shown(name)}`, allowed });
  });
  if (service['type'] === 'MuGateway') found.push(...routeBreaches(service, path, services, known));
  if (service['type'] === 'Workload') found.push(...workloadBreaches(service, path, services, infrastructure));
  return found;
}

/** Every endpoint leads to a function or a workload that runs wherever the gateway does. */
function routeBreaches(gateway: Fields, path: Path, services: readonly Fields[], infrastructure: readonly string[]) {
  const found: Breach[] = [];
  const callees = services.filter(({ type }) => type === 'MuFunction' || type === 'Workload');
  const names = textsOf(callees.map((service) => service['name']));
  const allowed =
    names.length > 0 ? names.join(', ') : 'the name of a MuFunction or Workload, of which the file has none';
  for (const [route, endpoint] of Object.entries(fieldsOf(gateway['endpoints']))) {
    const target = fieldsOf(endpoint)['route_to'];
    if (typeof target !== 'string') continue;
    const at = [...path, 'endpoints', route];
    const callee = callees.find((service) => service['name'] === target);
    if (callee === undefined) {
      const message = `route_to ${shown(target)} leads to no MuFunction or Workload`;
      found.push({ path: [...at, 'route_to'], message, allowed });
      continue;
    }
    found.push(...portBreaches(fieldsOf(endpoint), callee, at));
    const missing = homesOf(gateway, infrastructure).filter((home) => !homesOf(callee, infrastructure).includes(home));
    if (missing.length > 0) {
      const message = `${shown(target)} does not run in ${missing.join(', ')}, where this gateway does`;
      found.push({ path: [...at, 'route_to'], message, allowed: 'services in each infrastructure of the gateway' });
    }
  }
  return found;
}

/** A route to a Workload ends at one of its http connections; a function has no ports. */
function portBreaches(endpoint: Fields, callee: Fields, path: Path): Breach[] {
  const port = endpoint['port'];
  if (callee['type'] === 'MuFunction') {
    if (port === undefined) return [];
    return [{ path: [...path, 'port'], message: 'a function has no ports', allowed: 'no port, or a Workload' }];
  }
  const http = listOf(callee['connections'])
    .map(fieldsOf)
    .filter(({ protocol }) => protocol === 'http');
  const ports = http.map((connection) => connection['port']);
  const allowed =
    ports.length > 0 ? ports.join(', ') : `a connection with protocol: http at ${shown(callee['name'] ?? '')}`;
  if (port === undefined && ports.length !== 1) {
    const message = `${shown(callee['name'] ?? '')} has ${ports.length} http connections: say which port`;
    return [{ path: [...path, 'route_to'], message, allowed }];
  }
  if (port === undefined || ports.includes(port)) return [];
  return [{ path: [...path, 'port'], message: `${shown(port)} is no http connection of the Workload`, allowed }];
}

function workloadBreaches(
  service: Fields,
  path: Path,
  services: readonly Fields[],
  infrastructure: readonly Fields[],
): Breach[] {
  const connections = listOf(service['connections']).map(fieldsOf);
  const volumes = listOf(service['volumes']).map(fieldsOf);
  const ends = connections.map(({ port, protocol }) => ({ port: `${port}/${protocol === 'udp' ? 'udp' : 'tcp'}` }));
  return [
    ...repeated(connections, 'name', [...path, 'connections']),
    ...repeated(ends, 'port', [...path, 'connections']),
    ...repeated(volumes, 'name', [...path, 'volumes']),
    ...repeated(volumes, 'path', [...path, 'volumes']),
    ...mountedFileBreaches(listOf(service['files']).map(fieldsOf), volumes, [...path, 'files']),
    ...connections.flatMap((one, i) => fromBreaches(one, [...path, 'connections', i], services, infrastructure)),
    ...diskBreaches(service, volumes, path),
  ];
}

/** Callers are named as what the scope is made of. */
function fromBreaches(connection: Fields, path: Path, services: readonly Fields[], infrastructure: readonly Fields[]) {
  const { scope, from } = connection;
  if (from === undefined) return [];
  if (scope === 'global') {
    const message = 'a global connection is open to everybody';
    return [{ path: [...path, 'from'], message, allowed: 'no from, or the scope workload or datacenter' }];
  }
  const known =
    scope === 'workload'
      ? textsOf(services.filter(({ type }) => type === 'Workload').map(({ name }) => name))
      : textsOf(infrastructure.map(({ name }) => name));
  const what = scope === 'workload' ? 'Workload' : 'infrastructure';
  return listOf(from).flatMap((name, i): Breach[] => {
    if (typeof name !== 'string' || known.includes(name)) return [];
    const allowed = known.length > 0 ? known.join(', ') : `the name of a ${what}, of which the file has none`;
    return [{ path: [...path, 'from', i], message: `there is no ${what} ${shown(name)}`, allowed }];
  });
}

/** Volumes lie on the disk that is bought. */
function diskBreaches(service: Fields, volumes: readonly Fields[], path: Path): Breach[] {
  const disk = parseSize(fieldsOf(service['compute'])['disk']);
  if (disk === undefined) return [];
  const wanted = volumes.reduce((sum, { size }) => sum + (parseSize(size) ?? 0n), 0n);
  if (wanted <= disk) return [];
  const message = `volumes of ${sizeText(wanted)} on a disk of ${sizeText(disk)}`;
  return [{ path: [...path, 'compute', 'disk'], message, allowed: `${sizeText(wanted)} or more, or no disk at all` }];
}

function infrastructureBreaches(one: Fields, path: Path, services: readonly Fields[], known: StackKnowledge): Breach[] {
  const found: Breach[] = [];
  if (known.regions !== undefined && typeof one['region'] === 'string' && !known.regions.includes(one['region'])) {
    const message = `unknown region ${shown(one['region'])}`;
    found.push({ path: [...path, 'region'], message, allowed: known.regions.join(', ') });
  }
  const excluded = textsOf(listOf(one['excluded_providers']));
  if (typeof one['provider'] === 'string' && excluded.includes(one['provider'])) {
    const message = 'the provider that alone may serve is excluded too';
    found.push({ path: [...path, 'provider'], message, allowed: 'a provider that is not among excluded_providers' });
  }
  for (const [key, names] of [
    ['usage_limits', 'metric'],
    ['expected_usage', 'metric'],
  ] as const) {
    const entries = listOf(one[key]).map(fieldsOf);
    found.push(...repeated(entries, names, [...path, key]));
    entries.forEach((entry, i) => {
      const metric = entry['metric'];
      if (known.metrics === undefined || typeof metric !== 'string' || known.metrics.includes(metric)) return;
      const message = `unknown metric ${shown(metric)}`;
      found.push({ path: [...path, key, i, 'metric'], message, allowed: known.metrics.join(', ') });
    });
  }
  return [...found, ...offeredBreaches(one, path, services, known)];
}

/** The services asked of providers: known ones, each once, and all that the stack's own services need. */
function offeredBreaches(one: Fields, path: Path, services: readonly Fields[], known: StackKnowledge): Breach[] {
  if (!Array.isArray(one['services'])) return [];
  const found: Breach[] = [];
  const kinds: readonly string[] = known.services ?? Object.values(serviceKinds);
  one['services'].forEach((kind, i) => {
    if (typeof kind !== 'string') return;
    const place = [...path, 'services', i];
    if (!kinds.includes(kind)) {
      found.push({ path: place, message: `unknown type of service ${shown(kind)}`, allowed: kinds.join(', ') });
    } else if (listOf(one['services']).indexOf(kind) !== i) {
      found.push({ path: place, message: `${shown(kind)} is named twice`, allowed: 'each type of service once' });
    }
  });
  const asked = textsOf(one['services']);
  for (const service of services) {
    const kind = serviceKinds[service['type'] as ServiceType];
    if (
      kind === undefined ||
      asked.includes(kind) ||
      !homesOf(service, textsOf([one['name']])).includes(String(one['name']))
    )
      continue;
    const message = `the service ${shown(service['name'] ?? '')} runs here and needs ${kind}`;
    found.push({ path: [...path, 'services'], message, allowed: `a list with ${kind}, or no services key at all` });
  }
  return found;
}

/** An infrastructure on which nothing runs is money for nothing. */
function idleInfrastructure(infrastructure: readonly Fields[], services: readonly Fields[]): Breach[] {
  return infrastructure.flatMap((one, i) => {
    const name = one['name'];
    if (typeof name !== 'string' || services.length === 0) return [];
    if (services.some((service) => homesOf(service, [name]).includes(name))) return [];
    return [
      {
        path: ['infrastructure', i],
        message: `no service runs in ${shown(name)}`,
        allowed: 'infrastructure that a service runs in',
      },
    ];
  });
}

/** Where a service runs: in the infrastructure that it names, else in all. */
function homesOf(service: Fields, all: readonly string[]): readonly string[] {
  return Array.isArray(service['infrastructure']) ? textsOf(service['infrastructure']) : all;
}

function repeatedEnv(service: Fields, path: Path): Breach[] {
  if (!Array.isArray(service['env'])) return [];
  const seen = new Set<string>();
  const found: Breach[] = [];
  service['env'].forEach((map, i) => {
    for (const key of Object.keys(fieldsOf(map))) {
      if (seen.has(key)) {
        found.push({
          path: [...path, 'env', i, key],
          message: `${shown(key)} is set twice`,
          allowed: 'each name once',
          key: true,
        });
      }
      seen.add(key);
    }
  });
  return found;
}

/** A host name leads to one gateway. */
function repeatedHosts(services: readonly Fields[]): Breach[] {
  const seen = new Set<YamlValue>();
  return services.flatMap((service, i) =>
    listOf(service['hosts']).flatMap((host, at): Breach[] => {
      if (typeof host !== 'string' || !seen.has(host)) {
        seen.add(host);
        return [];
      }
      const path = ['services', i, 'hosts', at];
      return [{ path, message: `the host name ${shown(host)} is given twice`, allowed: 'each host name once' }];
    }),
  );
}

function repeated(entries: readonly Fields[], key: string, path: Path): Breach[] {
  const seen = new Set<string>();
  return entries.flatMap((entry, i) => {
    const value = entry[key];
    if (typeof value !== 'string') return [];
    if (!seen.has(value)) {
      seen.add(value);
      return [];
    }
    return [{ path: [...path, i, key], message: `${key} ${shown(value)} is given twice`, allowed: `each ${key} once` }];
  });
}

function fieldsOf(value: YamlValue | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function listOf(value: YamlValue | undefined): readonly YamlValue[] {
  return Array.isArray(value) ? value : [];
}

function textsOf(values: readonly (YamlValue | undefined)[]): string[] {
  return values.filter((value) => typeof value === 'string');
}
