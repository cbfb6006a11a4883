/**
 * The user's own copy of the manifests of his deployments: needed to deliver one again when a provider is replaced. Holds
 * the keys of secrets, so only its owner may read it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BuiltManifest } from '../manifest/build.ts';
import { decodeDelivery, encodeDelivery } from '../manifest/bundle.ts';
import { parseManifest } from '../manifest/parse.ts';

export interface ManifestKey {
  readonly chainId: string;
  readonly owner: string;
  readonly dseq: bigint;
}

const privateFile = { mode: 0o600 } as const;
const privateFolder = { recursive: true, mode: 0o700 } as const;

export class ManifestFolder {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Keeps a manifest under its revision. */
  save(key: ManifestKey, built: BuiltManifest): void {
    const folder = join(this.#folder(key), built.head.revision);
    mkdirSync(folder, privateFolder);
    for (const [path, bytes] of built.files) {
      const file = join(folder, 'files', path);
      mkdirSync(dirname(file), privateFolder);
      writeFileSync(file, bytes, privateFile);
    }
    // The head comes last: without it the revision does not exist.
    writeFileSync(
      join(folder, 'delivery.json'),
      encodeDelivery({ headBytes: built.headBytes, keys: built.sectionKeys }),
      privateFile,
    );
  }

  /**
   * The manifest of the latest revision; undefined where none was kept.
   * @param most the revision that the chain has: a later one is of an update that did not come to pass
   * @throws ManifestError when a file was changed
   */
  latest(key: ManifestKey, most?: bigint): BuiltManifest | undefined {
    const folder = this.#folder(key);
    if (!existsSync(folder)) return undefined;
    const revisions = readdirSync(folder)
      .filter((name) => /^\d{1,19}$/.test(name) && (most === undefined || BigInt(name) <= most))
      .filter((name) => existsSync(join(folder, name, 'delivery.json')))
      .sort((a, b) => Number(b) - Number(a));
    const [revision] = revisions;
    if (revision === undefined) return undefined;
    const { headBytes, keys } = decodeDelivery(readFileSync(join(folder, revision, 'delivery.json')));
    const manifest = parseManifest(headBytes, { chainId: key.chainId, owner: key.owner, dseq: key.dseq });
    const files = new Map(
      manifest.head.files.map(({ path }) => [
        path,
        new Uint8Array(readFileSync(join(folder, revision, 'files', path))),
      ]),
    );
    return { ...manifest, files, sectionKeys: keys };
  }

  #folder({ chainId, owner, dseq }: ManifestKey): string {
    return join(this.#root, chainId, owner, dseq.toString());
  }
}
