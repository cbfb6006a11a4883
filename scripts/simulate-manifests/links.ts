/** Who is connected with whom: everybody dials some others by chance, up to what a machine takes. */
import { swarmLimits } from '@mu/provider-daemon/swarm/limits';
import type { Connections, Member, Surroundings } from './surroundings.ts';

/** Connections that a peer sees to itself; others dial it as well. */
const dialled = 24;

export class Links implements Connections {
  readonly #world: Surroundings;
  /** of each peer, those it is connected with */
  readonly #of = new Map<Member, Set<Member>>();
  #border: number | undefined;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** Those a peer is connected with. */
  of(node: Member): ReadonlySet<Member> {
    return this.#of.get(node) ?? new Set();
  }

  areJoined(one: Member, other: Member): boolean {
    return this.of(one).has(other);
  }

  /** All who have too few connections look for more. */
  dial(): void {
    for (const node of this.#world.nodes) this.#dialFrom(node);
  }

  /** Those on either side of the border lose one another. */
  part(border: number): void {
    this.#border = border;
    for (const [node, others] of this.#of) {
      for (const other of [...others]) if (!this.#isOpen(node, other)) this.cut(node, other);
    }
  }

  heal(): void {
    this.#border = undefined;
  }

  cut(one: Member, other: Member): void {
    if (!this.#of.get(one)?.delete(other)) return;
    this.#of.get(other)?.delete(one);
    one.lost(other);
    other.lost(one);
  }

  #isOpen(one: Member, other: Member): boolean {
    const { [one.index]: a, [other.index]: b } = this.#world.nodes;
    if (!a?.isUp || !b?.isUp || one.shuns(other) || other.shuns(one)) return false;
    return this.#border === undefined || one.index < this.#border === other.index < this.#border;
  }

  #dialFrom(node: Member): void {
    const { nodes, random } = this.#world;
    if (!node.isUp) return;
    const own = this.#linksOf(node);
    const few = Math.min(dialled, nodes.length - 1);
    // Not all at once, and not for ever: those that cannot be had are tried again later.
    for (let tries = 0; own.size < few && tries < 4 * few; tries += 1) {
      const other = nodes[random(nodes.length)] as Member;
      if (other === node || own.has(other) || !this.#isOpen(node, other)) continue;
      const theirs = this.#linksOf(other);
      if (theirs.size >= swarmLimits.peers) continue;
      own.add(other);
      theirs.add(node);
      node.met(other);
      other.met(node);
    }
  }

  #linksOf(node: Member): Set<Member> {
    const known = this.#of.get(node) ?? new Set<Member>();
    this.#of.set(node, known);
    return known;
  }
}
