/**
 * Images on the engine. Each deployment has its own names for the images that it uses, so that what one tenant’s
 * credentials have fetched is never given to another; where the registry has shown one that it may have an image, the
 * layers that are here already are not fetched again.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { ImageReference } from '@mu/client/registry/reference';
import { reach } from '../../faults/fault-points.ts';
import { type ImageSource, WorkloadError, type WorkloadEvent, type WorkloadName } from '../driver.ts';
import { dockerArchive, planArchive } from './archive.ts';
import type { SizeLimits } from './archive-scan.ts';
import { type Engine, EngineError, type EngineFacts, type ImageFacts } from './engine.ts';
import type { ImageKey } from './names.ts';
import { type PullGuard, pullImage } from './pull.ts';
import { manifestFacts, parseReference } from './registry.ts';

/** Images that declare more folders as volumes are refused: each takes a file system in memory. */
const maxImageVolumes = 16;

/** Takes lines for a workload's log. */
export type ImageTeller = (line: string, event?: WorkloadEvent) => void;

export interface ImagesOptions {
  readonly engine: Engine;
  readonly facts: EngineFacts;
  readonly provider: string;
  readonly limits: SizeLimits;
  /** Registries in private networks too; for local networks. */
  readonly allowPrivateRegistries: boolean;
  readonly guard: PullGuard;
}

/** An image that is ready to be run. */
export interface ReadyImage {
  /** Its name at the engine. */
  readonly name: string;
  readonly user: string;
  readonly volumes: readonly string[];
}

export class Images {
  readonly #options: ImagesOptions;
  readonly #engine: Engine;
  /** Two pulls of one image would trip over each other’s names. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#engine = options.engine;
  }

  /** Which image a source means: its digest, or the hash of the archive. @throws WorkloadError */
  async keyOf(source: ImageSource): Promise<ImageKey> {
    if (source.from === 'registry') return parseReference(source.reference).canonical;
    const hash = createHash('sha256');
    await pipeline(createReadStream(source.path), hash).catch((error: Error) => {
      throw new WorkloadError('failed', `the image archive ${source.name} cannot be read: ${error.message}`);
    });
    return `archive@sha256:${hash.digest('hex')}`;
  }

  /**
   * Has the image here. One that this deployment has fetched before is not asked for again.
   * @param tell lines for the workload’s log
   * @throws WorkloadError `image` where it cannot be had, differs, or is too large
   */
  async ensure(
    workload: WorkloadName,
    source: ImageSource,
    options: { readonly key: ImageKey; readonly tell: ImageTeller },
  ): Promise<ReadyImage> {
    const repository = this.#repository(workload.deployment);
    const tag = tagOf(workload.service, options.key);
    const name = `${repository}:${tag}`;
    const here = await this.#engine.image(name);
    if (here !== undefined) return this.#ready(name, here);
    await this.#inTurn(options.key, async () => {
      if (source.from === 'archive') await this.#load(source, name);
      else await this.#pull(source, { repository, tag, tell: options.tell });
    });
    reach('image.loaded');
    const image = source.from === 'archive' ? source.name : source.reference;
    options.tell('the image is here', { type: 'image-pulled', image });
    return this.#ready(name, await this.#engine.image(name));
  }

  /** Services for which images are kept here, by lease. */
  async found(): Promise<WorkloadName[]> {
    const tags = await this.#engine.imageTags(`${this.#prefix()}/*`);
    return tags.flatMap((name) => {
      const [repository = '', tag = ''] = splitName(name);
      return [{ deployment: repository.split('/').at(-1)!, service: tag.slice(0, tag.lastIndexOf('.')) }];
    });
  }

  /** Gives up a workload’s images, all but the one named by `keep`; those that nobody else uses leave the disk. */
  async release(workload: WorkloadName, keep?: string): Promise<void> {
    for (const name of await this.#engine.imageTags(this.#repository(workload.deployment))) {
      const tag = splitName(name)[1] ?? '';
      const service = tag.slice(0, tag.lastIndexOf('.'));
      if (service === workload.service && name !== keep) await this.#engine.untag(name);
    }
  }

  async #pull(
    source: ImageSource & { from: 'registry' },
    { repository, tag, tell }: { repository: string; tag: string; tell: ImageTeller },
  ): Promise<void> {
    const reference = parseReference(source.reference);
    const { limits, facts, allowPrivateRegistries: allowPrivate } = this.#options;
    const manifest = await manifestFacts(reference, source.credentials, {
      architecture: facts.architecture,
      allowPrivate,
    });
    if (manifest.bytes > limits.maxBytes) {
      throw tooLarge(reference.canonical, `${manifest.bytes} bytes to fetch, at most ${limits.maxBytes}`);
    }
    const before = await this.#engine.image(reference.canonical);
    tell(`fetching ${reference.canonical}, ${mebibytes(manifest.bytes)} MiB in ${manifest.layers} layers`);
    try {
      await pullImage(this.#engine, reference, {
        credentials: source.credentials,
        limits,
        guard: this.#options.guard,
        tell,
        layers: manifest.layers,
        bytes: manifest.bytes,
      });
      const after = await this.#engine.image(reference.canonical);
      this.#checkPulled(reference, after, manifest.config);
      await this.#engine.tag(reference.canonical, repository, tag);
    } finally {
      // The name under which it was pulled would keep it for ever; unless somebody else had it so before.
      if (before === undefined) await this.#engine.untag(reference.canonical);
    }
  }

  #checkPulled({ canonical, digest }: ImageReference, image: ImageFacts | undefined, config: string): void {
    if (image === undefined) throw new WorkloadError('image', `${canonical}: it vanished after it was fetched`);
    // An engine with containerd’s store names images by their manifests, others by their configurations.
    const isRight = image.id === config || image.id === digest || image.digests.some((name) => name.endsWith(digest));
    if (!isRight) throw new WorkloadError('image', `${canonical}: the engine has another image, ${image.id}`);
    if (image.bytes > this.#options.limits.maxUnpackedBytes) throw this.#tooLargeUnpacked(canonical, image.bytes);
  }

  async #load(source: ImageSource & { from: 'archive' }, name: string): Promise<void> {
    const { facts, limits } = this.#options;
    const plan = await planArchive(source, { ...limits, architecture: facts.architecture });
    try {
      await this.#engine.load(dockerArchive(source, plan, name));
    } catch (error) {
      if (error instanceof EngineError && !error.gone) {
        throw new WorkloadError('image', `${source.name}: ${error.message}`);
      }
      throw error;
    }
  }

  async #ready(name: string, image: ImageFacts | undefined): Promise<ReadyImage> {
    if (image === undefined) throw new WorkloadError('image', `${name}: the engine loaded no image`);
    const refuse = async (error: WorkloadError): Promise<never> => {
      await this.#engine.untag(name);
      throw error;
    };
    if (image.bytes > this.#options.limits.maxUnpackedBytes) await refuse(this.#tooLargeUnpacked(name, image.bytes));
    if (image.volumes.length > maxImageVolumes) {
      await refuse(new WorkloadError('image', `${name}: it declares more than ${maxImageVolumes} folders as volumes`));
    }
    return { name, user: image.user, volumes: image.volumes };
  }

  #tooLargeUnpacked(name: string, bytes: number): WorkloadError {
    return tooLarge(name, `${bytes} bytes unpacked, at most ${this.#options.limits.maxUnpackedBytes}`);
  }

  #prefix(): string {
    return `mu/${createHash('sha256').update(this.#options.provider).digest('hex').slice(0, 16)}`;
  }

  #repository(deployment: string): string {
    return `${this.#prefix()}/${deployment}`;
  }

  async #inTurn(key: string, act: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(act, act);
    this.#turns.set(key, turn);
    try {
      await turn;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }
}

function tagOf(service: string, key: ImageKey): string {
  return `${service}.${createHash('sha256').update(key).digest('hex').slice(0, 32)}`;
}

function splitName(name: string): [string, string] {
  const at = name.lastIndexOf(':');
  return [name.slice(0, at), name.slice(at + 1)];
}

function tooLarge(name: string, what: string): WorkloadError {
  return new WorkloadError('image', `${name}: ${what} are allowed`);
}

function mebibytes(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1);
}
