/**
 * `/etc/resolv.conf` of containers, which name our resolver itself. The engine's own file names the engine, which passes
 * questions on: while it restarts, or is away with live-restore, containers would run on and find nobody.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A domain of ours alone, so that the host's is not told; few and short attempts, as the resolver is next door. */
export const resolverSearch = ['mu.internal'] as const;
export const resolverOptions = ['ndots:1', 'timeout:2', 'attempts:2'] as const;

export class ResolverFiles {
  readonly #folder: string;

  /** @param folder its own; as long as a container is there, its file must be */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Has the file for a network here, one for each address: what it says never changes, and there are no more than networks.
   * @param gateway the host's side of the network, where the resolver listens
   * @returns its path
   */
  ensure(gateway: string): string {
    mkdirSync(this.#folder, { recursive: true, mode: 0o711 });
    const path = join(this.#folder, gateway);
    const lines = [
      `nameserver ${gateway}`,
      `search ${resolverSearch.join(' ')}`,
      `options ${resolverOptions.join(' ')}`,
    ];
    // Renamed: whoever has the old one has a whole one, with the same text.
    writeFileSync(`${path}.new`, `${lines.join('\n')}\n`, { mode: 0o644 });
    renameSync(`${path}.new`, path);
    return path;
  }
}
