/** Headers that belong to one connection, not to the message: they are passed on in neither direction (RFC 9110 7.6.1). */

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Tells whether a header (lower case) is passed on, given the message's Connection header. */
export function passesOn(connection: string | undefined): (name: string) => boolean {
  const named = new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  return (name) => !hopByHop.has(name) && !named.has(name);
}
