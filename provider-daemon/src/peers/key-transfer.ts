/** Keys of sections among peers: asked of one at a time, given out by what the chain proves at that moment. */
import type { Carried } from '../manifests/carried.ts';
import type { SectionKey } from '../swarm/messages.ts';
import type { TransferOptions } from './head-transfer.ts';
import type { Link } from './link.ts';
import { keysFor, missingKeys } from './section-keys.ts';

export class KeyTransfer {
  readonly #of: TransferOptions & { readonly came: () => void };

  constructor(of: TransferOptions & { readonly came: () => void }) {
    this.#of = of;
  }

  /** Asks a peer, where a key is missing and none is being asked. */
  ask(carried: Carried): void {
    const { options, limits, links, drop } = this.#of;
    if (missingKeys(carried, options.held()).length === 0) return;
    const nowMs = options.timers.now();
    for (const link of [...links.values()]) {
      if (!link.areKeysDue) continue;
      if (nowMs - link.keysAskedMs < limits.keysMs) return;
      drop(link, 'silent', false);
    }
    const list = [...links.values()].filter(({ keysAskedMs }) => nowMs - keysAskedMs >= limits.keysAgainMs);
    const link = list[options.random(Math.max(1, list.length))];
    if (link === undefined) return;
    link.keysAskedMs = nowMs;
    link.areKeysDue = true;
    link.connection.send({ type: 'get-keys' });
  }

  /** A peer wants those that it may have. */
  async asked(link: Link): Promise<void> {
    const { options, limits, carried, drop } = this.#of;
    const nowMs = options.timers.now();
    const isTooSoon = nowMs - link.keysAnsweredMs < limits.keysApartMs;
    link.keysAnsweredMs = nowMs;
    if (link.role !== 'receive' || isTooSoon) {
      drop(link, link.role === 'receive' ? 'repeats' : 'unasked', true);
      return;
    }
    let keys: SectionKey[] = [];
    try {
      const held = await options.leasesOf(link);
      const own = carried();
      if (own !== undefined) keys = keysFor(own, held);
    } catch {
      // What cannot be proved now is not given out; it asks again.
    }
    link.connection.send({ type: 'keys', keys });
  }

  /** What a peer has given. */
  async answered(link: Link, keys: readonly SectionKey[]): Promise<void> {
    const { options, carried, drop, onDisk, cameFrom, came } = this.#of;
    link.areKeysDue = false;
    const own = carried();
    if (own === undefined) return;
    const missing = missingKeys(own, options.held());
    const useful = new Map(
      keys.flatMap(({ infrastructure, key }) => (missing.includes(infrastructure) ? [[infrastructure, key]] : [])),
    );
    try {
      if (useful.size === 0) return;
      if (await own.addKeys(useful)) {
        cameFrom(link);
        came();
      } else drop(link, 'false-key', true);
    } catch (error) {
      onDisk(error);
    } finally {
      this.ask(own);
    }
  }
}
