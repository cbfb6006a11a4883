/** Names of environment variables that belong to the contract by which functions are called (CGI and WAGI). */

const cgiNames: ReadonlySet<string> = new Set([
  'AUTH_TYPE',
  'CONTENT_LENGTH',
  'CONTENT_TYPE',
  'GATEWAY_INTERFACE',
  'PATH_INFO',
  'PATH_TRANSLATED',
  'QUERY_STRING',
  'REMOTE_ADDR',
  'REMOTE_HOST',
  'REMOTE_IDENT',
  'REMOTE_USER',
  'REQUEST_METHOD',
  'REQUEST_URI',
  'SCRIPT_NAME',
  'SERVER_NAME',
  'SERVER_PORT',
  'SERVER_PROTOCOL',
  'SERVER_SOFTWARE',
  'X_FULL_URL',
  'X_MATCHED_ROUTE',
  'X_RAW_PATH_INFO',
]);

/** Whether a variable is the caller's to set: a stack's own environment must not stand in for what a request lacks. */
export function isCgiName(name: string): boolean {
  return cgiNames.has(name) || name.startsWith('HTTP_');
}
