/** Names of images: `registry.example/team/app:tag`, and by digest `registry.example/team/app@sha256:…`. */
import { RegistryError } from './errors.ts';

/** An image at its registry. */
export interface ImageName {
  /** Host and port of the registry’s API. */
  readonly registry: string;
  /** Path of the repository there. */
  readonly repository: string;
  /** As the engine names the repository: without tag and digest. */
  readonly canonical: string;
  /** `latest` where the name has none. */
  readonly tag: string;
  /** `sha256:` and 64 hexadecimal characters, where the name says it. */
  readonly digest: string | undefined;
}

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

const tagPattern = /:([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;

/**
 * Reads a name as the engine does: the first part is a host where it has a dot, a colon, or is `localhost`.
 * @throws RegistryError `name` for what is no name of an image
 */
export function parseImageName(text: string): ImageName {
  const bad = (why: string): never => {
    throw new RegistryError('name', `the image “${text.slice(0, maxChars)}” ${why}`);
  };
  if (text.length > maxChars) bad(`has a name above ${maxChars} characters`);
  const [name = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !digestPattern.test(digest))) {
    bad('has a digest that is not sha256 and 64 hexadecimal digits');
  }
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const host = isHost ? first : hub.names[0];
  const path = isHost ? name.slice(slash + 1) : name;
  const untagged = path.replace(tagPattern, '');
  if (!hostPattern.test(host)) bad(`names the registry “${host}”, which is no host`);
  if (!repositoryPattern.test(untagged)) bad('has a name that is not lower-case words between slashes');
  const isHub = (hub.names as readonly string[]).includes(host);
  const repository = isHub && !untagged.includes('/') ? `library/${untagged}` : untagged;
  return {
    registry: isHub ? hub.api : host,
    repository,
    canonical: `${isHub ? hub.names[0] : host}/${repository}`,
    tag: tagPattern.exec(path)?.[1] ?? 'latest',
    digest,
  };
}

/**
 * A name with a digest. A tag beside it is dropped: only the digest says which image.
 * @throws RegistryError `name` for what is no name of an image, or has no digest
 */
export function parseReference(text: string): ImageReference {
  const { registry, repository, canonical, digest } = parseImageName(text);
  if (digest === undefined) {
    const why = 'has no digest: name it as name@sha256:…, mucli resolves tags when it deploys';
    throw new RegistryError('name', `the image “${text}” ${why}`);
  }
  return { registry, repository, digest, canonical: `${canonical}@${digest}` };
}
