/** Which handler a method and a path lead to. */
import { ApiError } from './errors.ts';

export type Route =
  | { readonly to: 'status' }
  | { readonly to: 'manifest'; readonly owner: string; readonly dseq: bigint }
  | { readonly to: 'lease-status'; readonly lease: bigint }
  | { readonly to: 'logs'; readonly lease: bigint; readonly tail: number; readonly follow: boolean };

const number = '([1-9]\\d{0,19})';

const table: readonly {
  readonly method: 'GET' | 'PUT';
  readonly path: RegExp;
  readonly route: (parts: readonly string[], query: URLSearchParams) => Route;
}[] = [
  { method: 'GET', path: /^\/v1\/status$/, route: () => ({ to: 'status' }) },
  {
    method: 'PUT',
    path: new RegExp(`^/v1/deployments/([a-z0-9]{8,128})/${number}/manifest$`),
    route: ([owner, dseq]) => ({ to: 'manifest', owner: owner!, dseq: u64(dseq!) }),
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/leases/${number}/status$`),
    route: ([lease]) => ({ to: 'lease-status', lease: u64(lease!) }),
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/leases/${number}/logs$`),
    route: ([lease], query) => ({ to: 'logs', lease: u64(lease!), ...logOptions(query) }),
  },
];

/** The methods of a path, for the header Allow; none where the path is unknown. */
export function methodsOf(path: string): string[] {
  return table.filter((entry) => entry.path.test(path)).map(({ method }) => method);
}

/** @param target path and query of the request line @throws ApiError */
export function findRoute(method: string, target: string): Route {
  const [path = '', query = ''] = target.split('?', 2);
  const methods = methodsOf(path);
  if (methods.length === 0) throw new ApiError('not_found', 'there is nothing at this path');
  const entry = table.find((one) => one.method === method && one.path.test(path));
  if (entry === undefined) throw new ApiError('method_not_allowed', `this path takes ${methods.join(', ')}`);
  return entry.route(entry.path.exec(path)!.slice(1), new URLSearchParams(query));
}

function u64(text: string): bigint {
  const value = BigInt(text);
  if (value >= 1n << 64n) throw new ApiError('bad_request', 'a number is beyond 64 bits');
  return value;
}

const defaultTail = 100;
const maxTail = 10_000;

function logOptions(query: URLSearchParams): { tail: number; follow: boolean } {
  const unknown = [...query.keys()].find((key) => key !== 'tail' && key !== 'follow');
  if (unknown !== undefined) throw new ApiError('bad_request', 'logs take tail and follow');
  const tail = query.get('tail') ?? String(defaultTail);
  const follow = query.get('follow') ?? 'false';
  if (!/^\d{1,5}$/.test(tail) || Number(tail) > maxTail) {
    throw new ApiError('bad_request', `tail is a whole number of at most ${maxTail}`);
  }
  if (follow !== 'true' && follow !== 'false') throw new ApiError('bad_request', 'follow is true or false');
  return { tail: Number(tail), follow: follow === 'true' };
}
