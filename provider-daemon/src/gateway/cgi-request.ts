/** A request as CGI (RFC 3875) and WAGI hand it to a program: environment and arguments. */
import type { IncomingHttpHeaders } from 'node:http';
import { passesOn } from './headers.ts';
import { decodedPath, type RouteMatch } from './routes.ts';

export interface CgiRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly httpVersion: string;
  /** As the client sent it, before a deployment's prefix was taken off. */
  readonly url: string;
  /** Without the question mark. */
  readonly query: string;
  /** Below the deployment's prefix, in the spelling of the client. */
  readonly rawPath: string;
  readonly match: RouteMatch;
  readonly bodyBytes: number;
  readonly remoteAddress: string;
  /** Where the gateway listens, for requests without a Host. */
  readonly local: { readonly address: string; readonly port: number };
}

/** The version that functions see. */
const serverSoftware = 'mu/0.1';

/** The environment of a call. What a request does not have stands as an empty text where CGI defines it. */
export function cgiEnvironment(request: CgiRequest): Record<string, string> {
  const { method, headers, match, local } = request;
  const { name, port } = serverOf(headers.host, local);
  const pathInfo = decodedPath(match.rest);
  return {
    ...headerVariables(headers),
    AUTH_TYPE: '',
    CONTENT_LENGTH: String(request.bodyBytes),
    CONTENT_TYPE: headers['content-type'] ?? '',
    GATEWAY_INTERFACE: 'CGI/1.1',
    PATH_INFO: pathInfo,
    PATH_TRANSLATED: pathInfo,
    QUERY_STRING: request.query,
    REMOTE_ADDR: request.remoteAddress,
    REMOTE_HOST: request.remoteAddress,
    REMOTE_USER: '',
    REQUEST_METHOD: method,
    SCRIPT_NAME: match.scriptName,
    SERVER_NAME: name,
    SERVER_PORT: String(port),
    SERVER_PROTOCOL: `HTTP/${request.httpVersion}`,
    SERVER_SOFTWARE: serverSoftware,
    X_FULL_URL: `http://${headers.host ?? `${name}:${port}`}${request.url}`,
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

/** HTTP_* for each header that is passed on. */
function headerVariables(headers: IncomingHttpHeaders): Record<string, string> {
  const passes = passesOn(headers.connection);
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    // Of X-Y and X_Y only one can become HTTP_X_Y: the one that proxies and servers know.
    if (value === undefined || !passes(name) || name.includes('_')) continue;
    if (name === 'content-type' || name === 'content-length') continue;
    // HTTP_PROXY configures HTTP clients: a request must not (httpoxy).
    if (name === 'proxy') continue;
    variables[`HTTP_${name.toUpperCase().replaceAll('-', '_')}`] = Array.isArray(value) ? value.join(', ') : value;
  }
  return variables;
}

function serverOf(host: string | undefined, local: CgiRequest['local']): { name: string; port: number } {
  if (host === undefined) return { name: local.address, port: local.port };
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(host);
  return { name: found?.[1] ?? local.address, port: Number(found?.[2] ?? local.port) };
}
