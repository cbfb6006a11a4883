/** Where a provider's own listener is, by what the chain says. */

export interface HostAddress {
  /** A name or an address; of IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** @param hostUri as on the chain, `https://host:port` @returns undefined for what is no such address */
export function hostAddress(hostUri: string): HostAddress | undefined {
  const url = URL.parse(hostUri);
  if (url?.protocol !== 'https:' || url.hostname === '') return undefined;
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443) };
}
