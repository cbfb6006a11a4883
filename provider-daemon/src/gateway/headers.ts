/** Headers that belong to one connection, not to the message, and what a request says of the way it came. */

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** A header field: its name in lower case, its value. */
export type Field = readonly [name: string, value: string];

/** Tells whether a header (lower case) is passed on, given the message's Connection header (RFC 9110 7.6.1). */
export function passesOn(connection: string | undefined): (name: string) => boolean {
  const named = new Set((connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  return (name) => !hopByHop.has(name) && !named.has(name);
}

/** Fields of a flat list as node gives it, names in lower case. */
export function fieldsOf(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) fields.push([raw[at]!.toLowerCase(), raw[at + 1]!]);
  return fields;
}

/** The fields that are passed on, in their order; those named by Connection are not. */
export function passingFields(fields: readonly Field[]): Field[] {
  const connection = fields.filter(([name]) => name === 'connection').map(([, value]) => value);
  const passes = passesOn(connection.join(','));
  return fields.filter(([name]) => passes(name));
}

/** Trailers can be sent by whoever sends the body: what frames, routes or authenticates a message does not count there (RFC 9110 6.5.1). */
const notInTrailers: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'host',
  'range',
  'set-cookie',
]);

export function passingTrailers(raw: readonly string[]): Field[] {
  return passingFields(fieldsOf(raw)).filter(([name]) => !notInTrailers.has(name) && !isForwarding(name));
}

/** What is said of the way that a request came. */
export interface Way {
  readonly remoteAddress: string;
  readonly secure: boolean;
  /** The Host that the client sent. */
  readonly host: string | undefined;
  /** What was taken off the path, `/~<label>`; empty where nothing was. */
  readonly prefix: string;
}

/**
 * Whether a field tells of the way of a request: those of the client are dropped, since nobody vouches for them. Programs
 * that see headers as variables take X_Forwarded_For for X-Forwarded-For.
 */
export function isForwarding(name: string): boolean {
  const dashed = name.replaceAll('_', '-');
  return dashed === 'forwarded' || dashed === 'x-real-ip' || dashed.startsWith('x-forwarded-');
}

/** The fields that tell of a request's way (RFC 7239, and those that came before it). */
export function forwardingFields({ remoteAddress, secure, host, prefix }: Way): Field[] {
  const scheme = secure ? 'https' : 'http';
  const node = remoteAddress.includes(':') ? `"[${remoteAddress}]"` : remoteAddress;
  const fields: Field[] = [
    ['x-forwarded-for', remoteAddress],
    ['x-forwarded-proto', scheme],
  ];
  if (host !== undefined) fields.push(['x-forwarded-host', host]);
  if (prefix !== '') fields.push(['x-forwarded-prefix', prefix]);
  const hostPart = host === undefined ? '' : `;host="${host}"`;
  fields.push(['forwarded', `for=${node}${hostPart};proto=${scheme}`]);
  return fields;
}
