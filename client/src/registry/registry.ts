/**
 * Asks a registry for an image’s manifest before anything is pulled (OCI distribution): that it exists, that the tenant
 * may have it, that it is what the digest says, and how large it is.
 */
import { createHash } from 'node:crypto';
import { RegistryError } from './errors.ts';
import { type ImageReference, parseImageName } from './reference.ts';
import { type RegistryAnswer, type RegistryHttpOptions, registryGet, registryOrigin } from './registry-http.ts';

const types = {
  manifests: ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'],
  indexes: ['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'],
} as const;
const accept = [...types.manifests, ...types.indexes].join(', ');

const maxLayers = 500;

/** An account at a registry. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

export interface ManifestFacts {
  /** Digest of the image’s configuration. */
  readonly config: string;
  /** Compressed: what is fetched. */
  readonly bytes: number;
  readonly layers: number;
}

export interface RegistryOptions extends RegistryHttpOptions {
  /** As images name it: `amd64`. */
  readonly architecture: string;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
}

/** @throws RegistryError: it does not exist, needs credentials, differs from its digest, or is for another machine */
export async function manifestFacts(
  image: ImageReference,
  credentials: RegistryCredentials | undefined,
  options: RegistryOptions,
): Promise<ManifestFacts> {
  const session = new RegistrySession(image, credentials, options);
  const first = await session.manifest(image.digest);
  const isIndex = Array.isArray(first['manifests']);
  const manifest = isIndex ? await session.manifest(choose(image, first, options.architecture)) : first;
  return factsOf(image, manifest);
}

/**
 * What a name stands for now, by digest: `host/path@sha256:…`. One that has a digest is given as it is.
 * @throws RegistryError where there is no such image, or it needs other credentials
 */
export async function pinImage(
  name: string,
  credentials: RegistryCredentials | undefined,
  options: RegistryHttpOptions,
): Promise<string> {
  const { canonical, digest, tag, ...place } = parseImageName(name);
  if (digest !== undefined) return `${canonical}@${digest}`;
  const session = new RegistrySession({ ...place, canonical: `${canonical}:${tag}` }, credentials, options);
  return `${canonical}@${await session.digestOf(tag)}`;
}

const digestOf = (body: Buffer): string => `sha256:${createHash('sha256').update(body).digest('hex')}`;

class RegistrySession {
  readonly #image: Omit<ImageReference, 'digest'>;
  readonly #credentials: RegistryCredentials | undefined;
  readonly #options: RegistryHttpOptions;
  #authorization: string | undefined;

  constructor(
    image: Omit<ImageReference, 'digest'>,
    credentials: RegistryCredentials | undefined,
    options: RegistryHttpOptions,
  ) {
    this.#image = image;
    this.#credentials = credentials;
    this.#options = options;
  }

  async manifest(digest: string): Promise<Record<string, unknown>> {
    const { canonical } = this.#image;
    const body = await this.#fetch(digest);
    const found = digestOf(body);
    if (found !== digest) {
      throw new RegistryError('refused', `${canonical}: the registry gives a manifest with the digest ${found}`);
    }
    return parseObject(canonical, body);
  }

  /** Of the manifest that a tag stands for: of its bytes, whatever the registry says. */
  async digestOf(tag: string): Promise<string> {
    const body = await this.#fetch(tag);
    parseObject(this.#image.canonical, body);
    return digestOf(body);
  }

  async #fetch(reference: string): Promise<Buffer> {
    const { canonical, registry, repository } = this.#image;
    const address = new URL(`/v2/${repository}/manifests/${reference}`, registryOrigin(registry, this.#options));
    let answer = await this.#get(address);
    if (answer.status === 401 && this.#authorization === undefined) {
      this.#authorization = await this.#authorize(answer);
      answer = await this.#get(address);
    }
    if (answer.status !== 200) throw refused(canonical, answer.status, this.#credentials !== undefined);
    return answer.body;
  }

  #get(address: URL): Promise<RegistryAnswer> {
    const authorization = this.#authorization === undefined ? {} : { authorization: this.#authorization };
    return registryGet(address, { accept, ...authorization }, this.#options);
  }

  /** What a 401 asks for: basic credentials, or a token from the registry’s token server. */
  async #authorize({ headers }: RegistryAnswer): Promise<string> {
    const { canonical, repository } = this.#image;
    const challenge = headers['www-authenticate'] ?? '';
    const basic =
      this.#credentials === undefined
        ? undefined
        : `Basic ${Buffer.from(`${this.#credentials.username}:${this.#credentials.password}`).toString('base64')}`;
    if (/^basic\b/i.test(challenge)) {
      if (basic === undefined) throw refused(canonical, 401, false);
      return basic;
    }
    const { realm, service } = challengeParts(challenge);
    if (!/^bearer\b/i.test(challenge) || realm === undefined || !URL.canParse(realm)) {
      throw new RegistryError('refused', `${canonical}: the registry asks for an unknown way to authenticate`);
    }
    const address = new URL(realm);
    if (service !== undefined) address.searchParams.set('service', service);
    address.searchParams.set('scope', `repository:${repository}:pull`);
    const answer = await registryGet(address, basic === undefined ? {} : { authorization: basic }, this.#options);
    if (answer.status !== 200) throw refused(canonical, answer.status, this.#credentials !== undefined);
    const { token, access_token: accessToken } = parseObject(canonical, answer.body);
    const given = token ?? accessToken;
    if (typeof given !== 'string' || !/^[\x21-\x7e]+$/.test(given)) throw refused(canonical, 401, basic !== undefined);
    return `Bearer ${given}`;
  }
}

function challengeParts(challenge: string): Record<string, string | undefined> {
  return Object.fromEntries(
    [...challenge.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, name, value]) => [name!.toLowerCase(), value!]),
  );
}

/** The manifest of an index that is for this machine. */
function choose(
  { canonical }: Pick<ImageReference, 'canonical'>,
  index: Record<string, unknown>,
  architecture: string,
): string {
  const manifests = (index['manifests'] as unknown[]).map((entry) => descriptorOf(canonical, entry));
  const ours = manifests.find(
    ({ platform }) => platform?.architecture === architecture && (platform.os ?? 'linux') === 'linux',
  );
  if (ours !== undefined) return ours.digest;
  const known = manifests.map(({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`).join(', ');
  throw new RegistryError('refused', `${canonical}: not for linux/${architecture}, only for ${known.slice(0, 200)}`);
}

function factsOf({ canonical }: Pick<ImageReference, 'canonical'>, manifest: Record<string, unknown>): ManifestFacts {
  const { layers } = manifest;
  if (!Array.isArray(layers) || layers.length > maxLayers || manifest['config'] === undefined) {
    throw new RegistryError('refused', `${canonical}: its manifest is not that of an image (schema 2 or OCI)`);
  }
  const config = descriptorOf(canonical, manifest['config']);
  const bytes = layers.reduce((sum: number, layer: unknown) => sum + descriptorOf(canonical, layer).size, config.size);
  return { config: config.digest, bytes, layers: layers.length };
}

function descriptorOf(canonical: string, value: unknown): Descriptor {
  const { digest, size } = (value ?? {}) as Partial<Descriptor>;
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest) || !Number.isSafeInteger(size) || size! < 0) {
    throw new RegistryError('refused', `${canonical}: its manifest names a part without a digest or a size`);
  }
  return value as Descriptor;
}

function parseObject(canonical: string, body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new RegistryError('refused', `${canonical}: the registry’s answer is not JSON`);
}

function refused(canonical: string, status: number, withCredentials: boolean): RegistryError {
  const secret = withCredentials ? 'the credentials in the manifest are not accepted' : 'it needs credentials';
  const why: Record<number, string> = {
    401: `the registry refuses (401): ${secret}, or it does not exist`,
    403: `the registry refuses (403): ${secret}`,
    404: 'the registry has no such image (404)',
    429: 'the registry has had too many requests (429): try again later, or give credentials',
  };
  return new RegistryError('refused', `${canonical}: ${why[status] ?? `the registry answers ${status}`}`);
}
