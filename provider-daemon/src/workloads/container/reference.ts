/** Names of images by digest: `registry.example/team/app@sha256:…`. */
import { WorkloadError } from '../driver.ts';

export interface ImageReference {
  /** Host and port of the registry’s API. */
  readonly registry: string;
  /** Path of the repository there. */
  readonly repository: string;
  /** `sha256:` and 64 hexadecimal characters. */
  readonly digest: string;
  /** As the engine is asked for it: without a tag. */
  readonly canonical: string;
}

const maxChars = 512;
const digestPattern = /^sha256:[0-9a-f]{64}$/;
const component = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const hostPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?::\d{1,5})?$/;

/** The engine’s default registry goes by another name than its API. */
const hub = { names: ['docker.io', 'index.docker.io'], api: 'registry-1.docker.io' } as const;

/**
 * Reads a reference as the engine does: the first part is a host where it has a dot, a colon, or is `localhost`. A tag
 * beside the digest is dropped: only the digest says which image.
 * @throws WorkloadError `invalid` for what is no reference, or has no digest
 */
export function parseReference(text: string): ImageReference {
  const bad = (why: string): never => {
    throw new WorkloadError('invalid', `the image “${text.slice(0, maxChars)}” ${why}`);
  };
  if (text.length > maxChars) bad(`has a name above ${maxChars} characters`);
  const [name = '', digest, ...more] = text.split('@');
  if (digest === undefined) bad('has no digest: name it as name@sha256:…, mucli resolves tags when it deploys');
  if (more.length > 0 || !digestPattern.test(digest!)) bad('has a digest that is not sha256 and 64 hexadecimal digits');
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const host = isHost ? first : hub.names[0];
  const untagged = (isHost ? name.slice(slash + 1) : name).replace(/:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/, '');
  if (!hostPattern.test(host)) bad(`names the registry “${host}”, which is no host`);
  if (!repositoryPattern.test(untagged)) bad('has a name that is not lower-case words between slashes');
  const isHub = (hub.names as readonly string[]).includes(host);
  const repository = isHub && !untagged.includes('/') ? `library/${untagged}` : untagged;
  const canonical = `${isHub ? hub.names[0] : host}/${repository}@${digest}`;
  return { registry: isHub ? hub.api : host, repository, digest: digest!, canonical };
}
