/** Seeded damage to real bytes, where decoders of protobuf go wrong. */

/** Bytes at which varints, tags and lengths turn. */
const edges = [0, 1, 0x0a, 0x12, 0x1b, 0x1c, 0x7f, 0x80, 0x8f, 0xf8, 0xff];

export class Damage {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to below the bound. */
  below(bound: number): number {
    // xorshift32 over a counter step: cheap, and the same on every machine.
    this.#state = (this.#state + 0x9e37_79b9) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
    return ((x ^ (x >>> 16)) >>> 0) % bound;
  }

  /** A copy with one to four things wrong. */
  damage(input: Uint8Array): Buffer {
    let changed: Buffer = Buffer.from(input);
    for (let steps = 1 + this.below(4); steps > 0; steps--) changed = this.#step(changed);
    return changed;
  }

  #step(input: Buffer): Buffer {
    if (input.length === 0) return Buffer.from([this.below(256)]);
    const at = this.below(input.length);
    const to = at + this.below(input.length - at + 1);
    switch (this.below(7)) {
      case 0:
        input[at] = (input[at] as number) ^ (1 << this.below(8));
        return input;
      case 1:
        input[at] = edges[this.below(edges.length)] as number;
        return input;
      case 2:
        return input.subarray(0, at);
      case 3:
        return Buffer.concat([input.subarray(0, at), input.subarray(to)]);
      case 4:
        return Buffer.concat([input.subarray(0, to), input.subarray(at)]);
      case 5:
        return Buffer.concat([input.subarray(0, at), Buffer.alloc(1 + this.below(12), 0xff), input.subarray(at)]);
      default:
        // Groups within groups: what a recursive decoder follows into the end of its stack.
        return Buffer.concat([input.subarray(0, at), Buffer.alloc(1 + this.below(30_000), 0x1b), input.subarray(at)]);
    }
  }
}
