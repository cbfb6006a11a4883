/** Addresses of ABCI sockets, written as CometBFT's `proxy_app`: `tcp://host:port`, `unix:///path`. */

/** Where a socket is. */
export type SocketAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Longest path of a unix socket that Linux takes (macOS: 103); longer ones are cut or refused without a reason. */
const maxPathBytes = 107;

/** @throws Error that says how an address is written */
export function parseAddress(address: string): SocketAddress {
  const unix = /^unix:\/\/(.+)$/.exec(address)?.[1];
  if (unix !== undefined) {
    const bytes = Buffer.byteLength(unix);
    if (bytes > maxPathBytes) {
      throw new Error(`${address}: the path of a unix socket has at most ${maxPathBytes} bytes, this one has ${bytes}`);
    }
    return { path: unix };
  }
  const [, host, port] = /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^:/\s[\]]+):(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new Error(`${address}: write tcp://host:port or unix:///path/to/socket`);
  }
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** The text that {@link parseAddress} reads. */
export function formatAddress(address: SocketAddress): string {
  if ('path' in address) return `unix://${address.path}`;
  const { host, port } = address;
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
