/** Host names of tenants' own, as stack, manifest and gateway know them. */

/** Of one gateway of a deployment, at most; a provider serves as many of a whole deployment. */
export const maxHostNames = 16;

/**
 * Lower case, at least two labels, at most 253 characters, no dot at the end (RFC 1123 2.1). The last label begins with a
 * letter: it is no IP address.
 */
export const hostNamePattern = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
