/** A request as CGI (RFC 3875) and WAGI hand it to a program: environment and arguments. */
import type { Call } from './call.ts';
import { forwardingFields, isForwarding, passesOn } from './headers.ts';
import { decodedPath, type RouteMatch } from './routes.ts';

export interface CgiRequest {
  readonly call: Pick<Call, 'method' | 'url' | 'headers' | 'version' | 'remoteAddress' | 'local' | 'secure'>;
  /** The Host that the client named; undefined in HTTP/1.0 without one. */
  readonly host: string | undefined;
  /** Without the question mark. */
  readonly query: string;
  /** Below the deployment's prefix, in the spelling of the client. */
  readonly rawPath: string;
  /** What was taken off the path; empty where nothing was. */
  readonly prefix: string;
  readonly match: RouteMatch;
  readonly bodyBytes: number;
}

/** The version that functions see. */
const serverSoftware = 'mu/0.1';

/** The environment of a call. What a request does not have stands as an empty text where CGI defines it. */
export function cgiEnvironment(request: CgiRequest): Record<string, string> {
  const { call, match, host, prefix, rawPath } = request;
  const { name, port } = serverOf(host, call);
  const scheme = call.secure ? 'https' : 'http';
  const query = request.query === '' ? '' : `?${request.query}`;
  const pathInfo = decodedPath(match.rest);
  return {
    ...headerVariables(request),
    AUTH_TYPE: '',
    CONTENT_LENGTH: String(request.bodyBytes),
    CONTENT_TYPE: call.headers['content-type'] ?? '',
    GATEWAY_INTERFACE: 'CGI/1.1',
    PATH_INFO: pathInfo,
    PATH_TRANSLATED: pathInfo,
    QUERY_STRING: request.query,
    REMOTE_ADDR: call.remoteAddress,
    REMOTE_HOST: call.remoteAddress,
    REMOTE_USER: '',
    REQUEST_METHOD: call.method,
    SCRIPT_NAME: match.scriptName,
    SERVER_NAME: name,
    SERVER_PORT: String(port),
    SERVER_PROTOCOL: `HTTP/${call.version}`,
    SERVER_SOFTWARE: serverSoftware,
    X_FULL_URL: `${scheme}://${host ?? `${name}:${port}`}${prefix}${rawPath}${query}`,
    X_MATCHED_ROUTE: match.route.path,
    X_RAW_PATH_INFO: rawPathInfo(request),
  };
}

/** What the client sent behind the script's name. */
function rawPathInfo({ match, rawPath }: CgiRequest): string {
  if (match.rest === '') return '';
  return `/${rawPath.split('/').slice(match.scriptName.split('/').length).join('/')}`;
}

/** The script's name, then the pairs of the query as they were sent. */
export function cgiArguments({ match, query }: Pick<CgiRequest, 'match' | 'query'>): string[] {
  return [match.scriptName, ...query.split('&').filter((pair) => pair !== '')];
}

/** HTTP_* for each header that is passed on, and for those that tell of the request's way. */
function headerVariables({ call, host, prefix }: CgiRequest): Record<string, string> {
  const passes = passesOn(call.headers.connection);
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(call.headers)) {
    // Of X-Y and X_Y only one can become HTTP_X_Y: the one that proxies and servers know.
    if (value === undefined || !passes(name) || name.includes('_') || isForwarding(name)) continue;
    if (name === 'content-type' || name === 'content-length') continue;
    // HTTP_PROXY configures HTTP clients: a request must not (httpoxy).
    if (name === 'proxy') continue;
    variables[variableOf(name)] = Array.isArray(value) ? value.join(', ') : value;
  }
  for (const [name, value] of forwardingFields({
    remoteAddress: call.remoteAddress,
    secure: call.secure,
    host,
    prefix,
  })) {
    variables[variableOf(name)] = value;
  }
  return variables;
}

const variableOf = (name: string): string => `HTTP_${name.toUpperCase().replaceAll('-', '_')}`;

function serverOf(host: string | undefined, { local }: CgiRequest['call']): { name: string; port: number } {
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(host ?? '');
  return { name: found?.[1] ?? local.address, port: Number(found?.[2] ?? local.port) };
}
