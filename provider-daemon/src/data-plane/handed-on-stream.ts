/**
 * A stream by a way that may yet refuse it. OPEN and the first bytes go out together (docs/OVERLAY.md), so a refusal comes
 * after they were written; until then they are kept, and go to the next way with all that follows. A refusal says that no
 * instance has had a byte, so nothing is done twice.
 */
import { Duplex } from 'node:stream';
import { reset } from '../network/relay.ts';
import { isRefusal } from '../overlay/stream-reset.ts';

/** Kept of a stream of which nothing has come back; who has written more is told of the refusal. */
export const maxKeptBytes = 16_384;

type Done = (error?: Error | null) => void;

/** A write, or the end, that the way has not taken whole. */
interface UnderWay {
  on(far: Duplex, taken: Done): void;
  done(): void;
}

export class HandedOnStream extends Duplex {
  readonly #next: (signal: AbortSignal) => Promise<Duplex>;
  readonly #gone = new AbortController();
  /** Undefined while the next one is opened. */
  #far: Duplex | undefined;
  /** What was taken whole stands at its beginning; undefined before the first byte. */
  #kept: Buffer | undefined;
  #keptBytes = 0;
  /** It stays where it is. */
  #isSettled = false;
  #hasEnded = false;
  #underWay: UnderWay | undefined;

  /** @param next opens a stream by a way that was not tried yet. @throws where there is none */
  constructor(first: Duplex, next: (signal: AbortSignal) => Promise<Duplex>) {
    // What waits, waits in the stream behind it.
    super({ allowHalfOpen: true, readableHighWaterMark: 1 });
    this.#next = next;
    this.#join(first);
  }

  override _read(): void {
    this.#far?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#begin({
      on: (far, taken) => far.write(chunk, taken),
      done: () => {
        this.#keep(chunk);
        done();
      },
    });
  }

  override _final(done: Done): void {
    this.#begin({
      on: (far, taken) => far.end(taken),
      done: () => {
        this.#hasEnded = true;
        done();
      },
    });
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#gone.abort();
    // One that has ended well both ways has closed by itself.
    if (this.#far !== undefined) reset(this.#far);
    done(error);
  }

  #begin(one: UnderWay): void {
    this.#underWay = one;
    if (this.#far !== undefined) this.#carryOut(this.#far, one);
  }

  #carryOut(far: Duplex, one: UnderWay): void {
    one.on(far, (error) => {
      // What has failed is told by the stream itself, and one that has refused may still say that it took the bytes.
      if (error || far !== this.#far) return;
      this.#underWay = undefined;
      one.done();
    });
  }

  /** A copy: a caller that writes byte by byte takes no more memory than one that does not. */
  #keep(chunk: Buffer): void {
    if (this.#isSettled) return;
    if (this.#keptBytes + chunk.length > maxKeptBytes) {
      this.#settle();
      return;
    }
    this.#kept ??= Buffer.allocUnsafeSlow(maxKeptBytes);
    this.#keptBytes += chunk.copy(this.#kept, this.#keptBytes);
  }

  #settle(): void {
    this.#isSettled = true;
    this.#kept = undefined;
  }

  #join(far: Duplex): void {
    this.#far = far;
    far.on('error', (error) => this.#failed(far, error));
    far.on('close', () => {
      const isOver = far.readableEnded && far.writableFinished;
      if (far === this.#far && !isOver) this.destroy();
    });
    far.on('data', (chunk: Buffer) => {
      this.#settle();
      if (!this.push(chunk)) far.pause();
    });
    far.on('end', () => {
      this.#settle();
      this.push(null);
    });
    if (far.destroyed) this.destroy();
  }

  #failed(far: Duplex, error: Error): void {
    if (far !== this.#far || this.destroyed) return;
    if (this.#isSettled || !isRefusal(error)) {
      this.destroy(error);
      return;
    }
    this.#far = undefined;
    this.#next(this.#gone.signal).then(
      (next) => (this.destroyed ? reset(next) : this.#handOn(next)),
      // That it was refused is what the caller is to know.
      () => this.destroy(error),
    );
  }

  #handOn(far: Duplex): void {
    this.#join(far);
    if (this.destroyed) return;
    if (this.#kept !== undefined) far.write(this.#kept.subarray(0, this.#keptBytes));
    if (this.#underWay !== undefined) this.#carryOut(far, this.#underWay);
    else if (this.#hasEnded) far.end();
  }
}
