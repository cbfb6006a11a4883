/** Connections between infrastructures, as a manifest declares them (design §6, Overlay): pure, and the same at both ends. */
import type { ManifestHead, ManifestWorkload } from '@mu/client/manifest/head';
import type { WorkloadName } from '../overlay/admission.ts';
import { type ContainerPort, WorkloadError } from '../workloads/driver.ts';

/** Ways of one lease's workloads to other infrastructures, and of those to its own: more than this is refused. */
export const maxFarWays = 1024;

/** A declared connection of a workload, as both ends know it. */
interface FarConnection {
  /** Workload that is called. */
  readonly callee: string;
  /** Name of the connection. */
  readonly connection: string;
  /** Of the callee's instances, and of the address at which a caller finds it. */
  readonly port: number;
  readonly protocol: ContainerPort['protocol'];
}

/** A workload here calls one of another infrastructure. */
export interface FarCall extends FarConnection {
  readonly caller: string;
  /** Where the callee runs, in the manifest's order. */
  readonly infrastructures: readonly string[];
}

/** A workload here is called from other infrastructures. */
export interface FarOffer extends FarConnection {
  readonly callers: readonly WorkloadName[];
}

export interface FarConnections {
  readonly farCalls: readonly FarCall[];
  readonly farOffers: readonly FarOffer[];
}

/** No connection leads out or in. */
export const noFarConnections: FarConnections = { farCalls: [], farOffers: [] };

/** Those of both, of the first where both have one: for the time in which either may run. */
export function bothOf(one: FarConnections, other: FarConnections): FarConnections {
  const calls = [...other.farCalls, ...one.farCalls].map((call) => [`${call.caller}/${keyOf(call)}`, call] as const);
  const offers = [...other.farOffers, ...one.farOffers].flatMap(({ callers, ...way }) =>
    callers.map((caller) => [`${keyOf(way)}/${caller.infrastructure}/${caller.workload}`, { way, caller }] as const),
  );
  return {
    farCalls: [...new Map(calls).values()],
    farOffers: [...new Map(offers).values()].map(({ way, caller }) => ({ ...way, callers: [caller] })),
  };
}

interface Declared extends FarConnection {
  readonly infrastructure: string;
  readonly scope: 'workload' | 'datacenter';
  readonly from: readonly string[] | undefined;
}

/**
 * What leads out of an infrastructure, and into it. A name that runs in the caller's own infrastructure too is called there
 * and nowhere else.
 * @throws WorkloadError `invalid` for more than `maxFarWays`
 */
export function farConnections({ workloads }: Pick<ManifestHead, 'workloads'>, infrastructure: string): FarConnections {
  const homes = workloads.map((one) => ({ infrastructure: one.infrastructure, services: workloadsOf(one.services) }));
  const own = homes.find((one) => one.infrastructure === infrastructure)?.services ?? [];
  const others = homes.filter((one) => one.infrastructure !== infrastructure);
  const declared = homes.flatMap((one) => one.services.flatMap((service) => declaredBy(service, one.infrastructure)));
  const agreed = withOnePort(declared);
  const room = { left: maxFarWays, infrastructure };
  return {
    farCalls: callsOf(own, { agreed, infrastructure, room }),
    farOffers: agreed
      .filter((one) => one.infrastructure === infrastructure)
      .flatMap((one) => offerOf(one, others, room)),
  };
}

interface Room {
  left: number;
  readonly infrastructure: string;
}

function take(room: Room): void {
  room.left -= 1;
  if (room.left >= 0) return;
  const why = `more than ${maxFarWays} pairs of workloads are connected between ${room.infrastructure} and other infrastructures`;
  throw new WorkloadError('invalid', `${why}: declare fewer connections, or name fewer callers by their \`from\``);
}

function callsOf(
  callers: readonly ManifestWorkload[],
  of: { readonly agreed: readonly Declared[]; readonly infrastructure: string; readonly room: Room },
): FarCall[] {
  const { agreed, infrastructure, room } = of;
  const here = new Set(callers.map(({ name }) => name));
  const far = agreed.filter((one) => !here.has(one.callee));
  return callers.flatMap(({ name: caller }) => {
    const calls = new Map<string, FarCall & { readonly infrastructures: string[] }>();
    for (const one of far.filter((each) => mayCall(each, { infrastructure, workload: caller }))) {
      const key = keyOf(one);
      const known = calls.get(key);
      if (known === undefined) take(room);
      if (known === undefined) calls.set(key, { caller, ...wayOf(one), infrastructures: [one.infrastructure] });
      else known.infrastructures.push(one.infrastructure);
    }
    return [...calls.values()];
  });
}

function offerOf(
  declared: Declared,
  others: readonly { readonly infrastructure: string; readonly services: readonly ManifestWorkload[] }[],
  room: Room,
): FarOffer[] {
  const callers: WorkloadName[] = [];
  for (const { infrastructure, services } of others) {
    if (services.some(({ name }) => name === declared.callee)) continue;
    for (const { name: workload } of services) {
      if (!mayCall(declared, { infrastructure, workload })) continue;
      take(room);
      callers.push({ infrastructure, workload });
    }
  }
  return callers.length === 0 ? [] : [{ ...wayOf(declared), callers }];
}

function workloadsOf(services: ManifestHead['workloads'][number]['services']): ManifestWorkload[] {
  return services.filter((one): one is ManifestWorkload => one.type === 'Workload');
}

/** A global connection has a public address: nobody needs a tunnel for it. */
function declaredBy({ name: callee, connections }: ManifestWorkload, infrastructure: string): Declared[] {
  return connections.flatMap(({ name: connection, port, protocol, scope, from }) =>
    scope === 'global'
      ? []
      : [{ infrastructure, callee, connection, port, protocol: protocol === 'udp' ? 'udp' : 'tcp', scope, from }],
  );
}

/** A caller knows one port of a name: where infrastructures say different ones, those hold that say the first one's. */
function withOnePort(declared: readonly Declared[]): Declared[] {
  const first = new Map<string, Declared>();
  return declared.filter((one) => {
    const lead = first.get(keyOf(one)) ?? one;
    first.set(keyOf(one), lead);
    return one.port === lead.port && one.protocol === lead.protocol;
  });
}

function mayCall({ scope, from }: Declared, caller: WorkloadName): boolean {
  return from === undefined || from.includes(scope === 'datacenter' ? caller.infrastructure : caller.workload);
}

const keyOf = ({ callee, connection }: FarConnection): string => `${callee}/${connection}`;

const wayOf = ({ callee, connection, port, protocol }: FarConnection): FarConnection => ({
  ...{ callee, connection, port, protocol },
});
