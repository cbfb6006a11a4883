/** A peer: its machines, one a manifest, its line, and its disk, which outlives a restart. */
import { Bitfield } from '@mu/provider-daemon/swarm/bitfield';
import type { SwarmEffect, SwarmEvent } from '@mu/provider-daemon/swarm/events';
import { SwarmMachine } from '@mu/provider-daemon/swarm/machine';
import { type Line, newLine, type Transfer } from './lines.ts';
import type { PeerPlan } from './scenario.ts';
import type { Member, Parcel, PeerResult, Surroundings } from './surroundings.ts';

/** An event without its time. */
type Happening = SwarmEvent extends infer Event ? (Event extends SwarmEvent ? Omit<Event, 'atMs'> : never) : never;

interface Copy {
  readonly disk: Bitfield;
  /** true pieces that came and are not on the disk */
  readonly arrived: Set<number>;
  machine: SwarmMachine;
  doneMs: number | undefined;
  sentBytes: number;
  wastedBytes: number;
}

export class Node implements Member {
  readonly index: number;
  readonly plan: PeerPlan;
  readonly line: Line;
  isUp = false;
  readonly #world: Surroundings;
  readonly #copies: Copy[];
  readonly #shunned = new Set<string>();
  readonly #transfers = new Map<Transfer, Member>();
  /** so that what was sent before a connection ended does not come over the next one */
  readonly #sessions = new Map<Member, number>();

  constructor(world: Surroundings, index: number) {
    this.#world = world;
    this.index = index;
    this.plan = world.scenario.peers[index] as PeerPlan;
    this.line = newLine(this.plan.up / 1_000, this.plan.down / 1_000);
    this.#copies = world.pieces.map(({ count }, manifest) => {
      const claims = this.plan.holder || this.plan.character === 'liar' || this.plan.character === 'miser';
      const disk = claims ? Bitfield.full(count) : new Bitfield(count);
      const machine = this.#newMachine(manifest, disk);
      return {
        disk,
        arrived: new Set<number>(),
        machine,
        doneMs: claims ? 0 : undefined,
        sentBytes: 0,
        wastedBytes: 0,
      };
    });
  }

  get id(): string {
    return `${this.index}`;
  }

  start(): void {
    this.isUp = true;
    for (const [manifest, copy] of this.#copies.entries()) copy.machine = this.#newMachine(manifest, copy.disk);
  }

  stop(): void {
    for (const other of [...this.#world.links.of(this)]) this.#world.links.cut(this, other);
    this.isUp = false;
  }

  tick(): void {
    if (!this.isUp) return;
    this.#copies.forEach((_, manifest) => {
      this.#happens(manifest, { type: 'time' });
      if (this.plan.character === 'glutton') this.#beGreedy(manifest);
    });
  }

  shuns(other: Member): boolean {
    return this.#shunned.has(other.id);
  }

  met(other: Member): void {
    this.#copies.forEach((_, manifest) => {
      this.#happens(manifest, { type: 'came', peer: other.id });
    });
  }

  lost(other: Member): void {
    this.#sessions.set(other, (this.#sessions.get(other) ?? 0) + 1);
    for (const [transfer, to] of [...this.#transfers]) {
      if (to !== other) continue;
      this.#transfers.delete(transfer);
      this.#world.lines.cut(transfer);
    }
    this.#copies.forEach((_, manifest) => {
      this.#happens(manifest, { type: 'gone', peer: other.id });
    });
  }

  results(): PeerResult[] {
    return this.#copies.map(({ doneMs, sentBytes, wastedBytes }, manifest) => {
      return { peer: this.index, manifest, doneMs, sentBytes, wastedBytes };
    });
  }

  /** True when the machines have what is on the disk, no more and no less; only true pieces are put there. */
  get isConsistent(): boolean {
    return this.#copies.every(({ disk, machine }) => {
      return machine.had === disk.size && [...disk].every((piece) => machine.has(piece));
    });
  }

  /** Something has come from a peer. */
  receive(from: Member, parcels: readonly Parcel[]): void {
    for (const parcel of parcels) {
      const { manifest } = parcel;
      const copy = this.#copies[manifest] as Copy;
      if ('message' in parcel) this.#happens(manifest, { type: 'message', peer: from.id, message: parcel.message });
      else if ('begun' in parcel) this.#happens(manifest, { type: 'begun', peer: from.id, piece: parcel.begun });
      else {
        const { piece, isTrue } = parcel;
        if (!isTrue || copy.disk.has(piece)) copy.wastedBytes += this.#bytesOf(manifest, piece);
        if (isTrue) copy.arrived.add(piece);
        this.#happens(manifest, { type: 'arrived', peer: from.id, piece, verified: isTrue });
      }
    }
  }

  #newMachine(manifest: number, disk: Bitfield): SwarmMachine {
    const pieces = this.#world.pieces[manifest] as Surroundings['pieces'][number];
    const have = Bitfield.read(disk.toBytes(), pieces.count) as Bitfield;
    return new SwarmMachine({ pieces, have, random: this.#world.random });
  }

  #bytesOf(manifest: number, piece: number): number {
    return this.#world.pieces[manifest]?.bytesOf(piece) ?? 0;
  }

  #happens(manifest: number, happening: Happening): void {
    const copy = this.#copies[manifest] as Copy;
    const event = { ...happening, atMs: this.#world.agenda.nowMs } as SwarmEvent;
    const outgoing = new Map<string, Parcel[]>();
    for (const effect of copy.machine.handle(event)) this.#carryOut(manifest, effect, outgoing);
    for (const [peer, parcels] of outgoing) this.#post(this.#nodeOf(peer), parcels);
  }

  #carryOut(manifest: number, effect: SwarmEffect, outgoing: Map<string, Parcel[]>): void {
    const copy = this.#copies[manifest] as Copy;
    switch (effect.type) {
      case 'send': {
        const parcels = outgoing.get(effect.peer);
        if (parcels === undefined) outgoing.set(effect.peer, [{ manifest, message: effect.message }]);
        else parcels.push({ manifest, message: effect.message });
        break;
      }
      case 'send-piece':
        if (this.plan.character !== 'miser') this.#sendPiece(manifest, this.#nodeOf(effect.peer), effect.piece);
        break;
      case 'write':
        this.#world.agenda.after(0, () => this.#write(manifest, effect.piece, copy.machine));
        break;
      case 'drop':
        this.#drop(this.#nodeOf(effect.peer), effect.reason, effect.forGood);
        break;
      case 'done':
        if (copy.doneMs === undefined) {
          copy.doneMs = this.#world.agenda.nowMs;
          this.#world.finished(this);
        }
        break;
    }
  }

  #write(manifest: number, piece: number, machine: SwarmMachine): void {
    const copy = this.#copies[manifest] as Copy;
    if (!this.isUp || copy.machine !== machine) return;
    if (!copy.arrived.delete(piece)) throw new Error(`piece ${piece} is to be written, but no true one came`);
    copy.disk.add(piece);
    this.#happens(manifest, { type: 'written', piece, ok: true });
  }

  #drop(other: Member, reason: string, forGood: boolean): void {
    this.#world.drops[reason] = (this.#world.drops[reason] ?? 0) + 1;
    if (forGood) this.#shunned.add(other.id);
    // Not before this machine has said all that it wants done.
    this.#world.agenda.after(0, () => this.#world.links.cut(this, other));
  }

  #sendPiece(manifest: number, to: Member, piece: number): void {
    const bytes = this.#bytesOf(manifest, piece);
    const copy = this.#copies[manifest] as Copy;
    this.#post(to, [{ manifest, begun: piece }]);
    const transfer = this.#world.lines.send(this.line, to.line, bytes, () => {
      this.#transfers.delete(transfer);
      copy.sentBytes += bytes;
      this.#post(to, [{ manifest, piece, isTrue: this.plan.character !== 'liar' }]);
      this.#happens(manifest, { type: 'sent', peer: to.id, piece, ok: true });
    });
    this.#transfers.set(transfer, to);
  }

  #post(to: Member, parcels: readonly Parcel[]): void {
    const session = this.#sessions.get(to) ?? 0;
    this.#world.agenda.after(this.#world.latencyMs(this, to), () => {
      if ((this.#sessions.get(to) ?? 0) === session && this.#world.links.areJoined(this, to)) to.receive(this, parcels);
    });
  }

  #nodeOf(id: string): Member {
    return this.#world.nodes[Number(id)] as Member;
  }

  /** Asks everybody for the first piece, with leave or without. */
  #beGreedy(manifest: number): void {
    for (const other of this.#world.links.of(this)) {
      this.#post(other, [{ manifest, message: { type: 'request', piece: 0 } }]);
    }
  }
}
