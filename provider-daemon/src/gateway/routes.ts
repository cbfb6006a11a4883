/** Which function or workload answers a path: WAGI's routes. */
import type { CallableWorkload } from '../workloads/driver.ts';
import type { UnderWay, UpstreamPool } from './upstreams.ts';

/** Who answers: a function by the name of its service, or a container's port. */
export type RouteTarget =
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'workload'; readonly name: string; readonly port: number };

/** A route as a manifest has it. */
export interface RouteSpec {
  /** `/a/b`, or `/a/...` for `/a` and all below it; `/...` is everything. */
  readonly path: string;
  /** HEAD follows GET by itself; none: every method. */
  readonly methods: readonly string[];
  readonly to: RouteTarget;
}

/** The one route of a connection with scope global and protocol http: all of the host belongs to a workload. */
export function wholeRoute(name: string, port: number): RouteSpec {
  return { path: '/...', methods: [], to: { kind: 'workload', name, port } };
}

/** What one MuGateway of one deployment serves. */
export interface GatewayService {
  /** As in the workloads' specs; for log lines. */
  readonly deployment: string;
  /** Name of the MuGateway. */
  readonly service: string;
  readonly routes: readonly RouteSpec[];
  /** Running functions by name; a route to one that is not here answers 503. */
  readonly functions: ReadonlyMap<string, Pick<CallableWorkload, 'spec' | 'invoke'>>;
  /** Where workloads answer, by the name of their service; a route to one that is not here answers 503. */
  readonly upstreams?: ReadonlyMap<string, UpstreamPool>;
  /** Counts what the instances are answering. */
  readonly underWay?: UnderWay;
  /** Host names of the tenant's own, each proved (hosts.ts). */
  readonly hosts?: readonly string[];
}

/** A route that matches a path; `rest` is the path below it, in segments as they were sent. */
export interface RouteMatch {
  readonly route: RouteSpec;
  /** The route without `/...`: CGI's SCRIPT_NAME. */
  readonly scriptName: string;
  readonly rest: string;
}

interface Entry {
  readonly base: string;
  readonly routes: RouteSpec[];
}

/** The routes of one gateway, made ready for matching. */
export class RouteTable {
  readonly #exact = new Map<string, RouteSpec[]>();
  /** Longest first: the nearest route answers. */
  readonly #below: Entry[];

  constructor(routes: readonly RouteSpec[]) {
    const below = new Map<string, Entry>();
    for (const route of routes) {
      if (!route.path.endsWith('/...')) {
        this.#exact.set(route.path, [...(this.#exact.get(route.path) ?? []), route]);
        continue;
      }
      const base = route.path.slice(0, -4);
      const entry = below.get(base) ?? { base, routes: [] };
      entry.routes.push(route);
      below.set(base, entry);
    }
    this.#below = [...below.values()].sort((a, b) => b.base.length - a.base.length);
  }

  /**
   * The route for a path whose unreserved characters are decoded; where none has the method, the methods that the path
   * has; undefined where no route has the path.
   */
  match(path: string, method: string): RouteMatch | { readonly allowed: readonly string[] } | undefined {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return choose(exact, method, (route) => ({ route, scriptName: path, rest: '' }));
    const entry = this.#below.find(({ base }) => path === base || path.startsWith(`${base}/`));
    if (entry === undefined) return undefined;
    const { base, routes } = entry;
    return choose(routes, method, (route) => ({ route, scriptName: base, rest: path.slice(base.length) }));
  }
}

function choose(routes: readonly RouteSpec[], method: string, found: (route: RouteSpec) => RouteMatch) {
  const asked = method === 'HEAD' ? ['HEAD', 'GET'] : [method];
  const route = routes.find(({ methods }) => methods.length === 0 || asked.some((name) => methods.includes(name)));
  if (route !== undefined) return found(route);
  const methods = new Set(routes.flatMap((one) => one.methods));
  if (methods.has('GET')) methods.add('HEAD');
  return { allowed: [...methods].sort() };
}

/** A path that has more than one meaning, or none. */
export class PathError extends Error {}

/**
 * The one spelling of a path, in which routes are written: what need not be encoded is decoded, the rest stays.
 * @throws PathError for `.` and `..` segments, encoded zeros, and encodings that are not UTF-8
 */
export function normalPath(raw: string): string {
  if (!raw.startsWith('/')) throw new PathError('the path does not begin with /');
  return raw.split('/').map(normalSegment).join('/');
}

function normalSegment(raw: string): string {
  if (!raw.includes('%') && raw !== '.' && raw !== '..') return raw;
  const decoded = decodedPath(raw);
  if (decoded === '.' || decoded === '..') throw new PathError('the path has a segment . or ..');
  // Encoded again all but what routes are written in, so that %2F stays apart from /.
  return decoded.replace(/[^A-Za-z0-9._~!$&'()*+,;=:@-]+/gu, (text) => encodeURIComponent(text));
}

/** A path's text, as CGI's PATH_INFO has it. @throws PathError */
export function decodedPath(path: string): string {
  let text: string;
  try {
    text = decodeURIComponent(path);
  } catch {
    throw new PathError('the path is not encoded as it must be');
  }
  if (text.includes('\0')) throw new PathError('the path contains a zero');
  return text;
}
