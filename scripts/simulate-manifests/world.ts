/** Many peers on a network with a clock of its own: what they send arrives later, and is told to the receiver. */
import { swarmTimes } from '@mu/provider-daemon/swarm/limits';
import { PieceList } from '@mu/provider-daemon/swarm/piece-list';
import { seeded } from '../lib/perturb/random.ts';
import { Agenda } from './agenda.ts';
import { Lines } from './lines.ts';
import { Links } from './links.ts';
import { Node } from './node.ts';
import type { Mishap, Scenario } from './scenario.ts';
import type { Member, PeerResult, Surroundings } from './surroundings.ts';

export interface Outcome {
  readonly peers: readonly PeerResult[];
  /** when the last honest peer that stayed had everything; undefined: it did not come to that */
  readonly lastPeerMs: number | undefined;
  /** what the first holder sent of the first manifest, in copies */
  readonly firstHolderCopies: number;
  /** how often a peer was dropped, by reason */
  readonly drops: Readonly<Record<string, number>>;
  readonly events: number;
}

export class World implements Surroundings {
  readonly scenario: Scenario;
  readonly agenda = new Agenda();
  readonly lines = new Lines(this.agenda);
  readonly random: (end: number) => number;
  readonly pieces: readonly PieceList[];
  readonly nodes: readonly Node[];
  readonly links: Links;
  readonly drops: Record<string, number> = {};
  events = 0;
  #unfinished = 0;
  #lastMs = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.random = seeded(scenario.seed).below;
    const { pieceBytes: pieceSize } = scenario;
    this.pieces = scenario.manifests.map((files) => new PieceList(files.map((size) => ({ size, pieceSize }))));
    this.links = new Links(this);
    this.nodes = scenario.peers.map((_, at) => new Node(this, at));
  }

  run(): Outcome {
    const { agenda, nodes, scenario } = this;
    const lost = new Set(scenario.mishaps.flatMap((one) => (one.kind === 'vanish' ? [one.peer] : [])));
    const awaited = nodes.filter(({ index, plan }) => plan.character === 'honest' && !plan.holder && !lost.has(index));
    this.#unfinished = awaited.length * this.pieces.length;
    for (const node of nodes) node.start();
    for (const mishap of scenario.mishaps) agenda.at(mishap.atMs, () => this.#befall(mishap));
    this.links.dial();
    this.#keepTime();
    while (this.#unfinished > 0 && agenda.nowMs < scenario.limitMs && agenda.step()) this.events += 1;
    const holder = nodes[0] as Node;
    return {
      peers: nodes.flatMap((node) => node.results()),
      lastPeerMs: this.#unfinished === 0 ? this.#lastMs : undefined,
      firstHolderCopies: (holder.results()[0]?.sentBytes ?? 0) / (this.pieces[0]?.bytes ?? 1),
      drops: this.drops,
      events: this.events,
    };
  }

  /** A peer has all of a manifest for the first time. */
  finished(node: Member): void {
    const lost = this.scenario.mishaps.some((one) => one.kind === 'vanish' && one.peer === node.index);
    if (node.plan.character !== 'honest' || node.plan.holder || lost) return;
    this.#unfinished -= 1;
    this.#lastMs = this.agenda.nowMs;
  }

  latencyMs(one: Member, other: Member): number {
    return one.plan.latencyMs + other.plan.latencyMs;
  }

  #keepTime(): void {
    this.agenda.after(swarmTimes.tickMs, () => {
      for (const node of this.nodes) node.tick();
      this.links.dial();
      this.#keepTime();
    });
  }

  #befall(mishap: Mishap): void {
    if (mishap.kind === 'part') {
      this.links.part(mishap.border);
      this.agenda.at(mishap.healMs, () => this.links.heal());
      return;
    }
    const node = this.nodes[mishap.peer] as Node;
    node.stop();
    if (mishap.kind === 'restart') this.agenda.at(mishap.backMs, () => node.start());
  }
}

export function simulate(scenario: Scenario): Outcome {
  return new World(scenario).run();
}
