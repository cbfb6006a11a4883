/** Where a request is to go: its target and its Host, in forms that have one meaning only. */
import type { Field } from './headers.ts';

/** A request that is refused with 400, after which the connection is closed: others on its way might read it differently. */
export class RequestError extends Error {}

export interface Target {
  /** As the client spelled it; begins with `/`. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** Of the Host in lower case, without port and final dot; undefined in HTTP/1.0 without Host. */
  readonly name: string | undefined;
  /** The Host as it was sent. */
  readonly host: string | undefined;
}

const hostPattern = /^(?<name>\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}))(?::(?<port>\d{1,5}))?$/;
/** What may stand in a request's target; a fragment may not (RFC 9112 3.2). */
const targetPattern = /^[\x21\x22\x24-\x7e\x80-\xff]+$/;

/** @throws RequestError */
export function targetOf(message: {
  /** The request's target, or HTTP/2's `:path`. */
  readonly url: string;
  /** HTTP/2's `:authority`. */
  readonly authority?: string | undefined;
  readonly fields: readonly Field[];
}): Target {
  if (!targetPattern.test(message.url)) throw new RequestError('the target is not an address');
  const hosts = message.fields.filter(([name]) => name === 'host').map(([, value]) => value);
  if (hosts.length > 1) throw new RequestError('more than one Host');
  const absolute = /^https?:\/\/([^/?]*)(.*)$/is.exec(message.url);
  const named = [absolute?.[1], message.authority, hosts[0]].filter((one) => one !== undefined);
  const names = named.map(nameOf);
  if (new Set(names.map(({ full }) => full)).size > 1) throw new RequestError('Host and target name different hosts');
  const local = absolute === null ? message.url : absolute[2]!;
  const mark = local.indexOf('?');
  const path = mark < 0 ? local : local.slice(0, mark);
  if (path !== '' && !path.startsWith('/')) throw new RequestError('the target is not a path');
  return {
    path: path === '' ? '/' : path,
    query: mark < 0 ? '' : local.slice(mark + 1),
    name: names[0]?.name,
    host: named[0],
  };
}

function nameOf(host: string): { name: string; full: string } {
  const groups = hostPattern.exec(host)?.groups;
  const port = groups?.['port'];
  if (groups === undefined || host.includes('..') || Number(port ?? 0) > 65_535) {
    throw new RequestError('the Host is not a name');
  }
  const name = groups['name']!.toLowerCase().replace(/\.$/, '');
  return { name, full: `${name}:${port ?? ''}` };
}

/** Whether a host is given as an address rather than as a name. */
export function isAddress(name: string): boolean {
  return name.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || name === 'localhost';
}

/**
 * How a request's body is framed. Whoever stands behind us must not be able to see it end elsewhere (RFC 9112 6.3).
 * @throws RequestError for lengths that contradict each other, and codings other than chunked
 */
export function framingOf(fields: readonly Field[], version: string): { chunked: boolean; length: number | undefined } {
  const codings = fields.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value);
  const lengths = fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
  if (codings.length > 0 && lengths.length > 0) throw new RequestError('both Content-Length and Transfer-Encoding');
  if (codings.length > 0) {
    if (version !== '1.1') throw new RequestError('Transfer-Encoding is of HTTP/1.1');
    if (codings.length > 1 || codings[0]!.toLowerCase() !== 'chunked') {
      throw new RequestError('the only Transfer-Encoding known here is chunked');
    }
    return { chunked: true, length: undefined };
  }
  if (lengths.length === 0) return { chunked: false, length: undefined };
  if (lengths.length > 1 || !/^\d{1,15}$/.test(lengths[0]!))
    throw new RequestError('the Content-Length is not one number');
  return { chunked: false, length: Number(lengths[0]) };
}
