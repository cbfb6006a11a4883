/**
 * The lines of a network. What several transfers share is shared equally at either end, and the slower end counts; a
 * change at one is felt at once by those beside it.
 */
import type { Agenda } from './agenda.ts';

/** The line of one machine, in bytes a millisecond. */
export interface Line {
  readonly up: number;
  readonly down: number;
  readonly outgoing: Set<Transfer>;
  readonly incoming: Set<Transfer>;
}

export interface Transfer {
  readonly from: Line;
  readonly to: Line;
  readonly done: () => void;
  left: number;
  rate: number;
  sinceMs: number;
  /** of the last forecast of its end; one that has changed since does not come true */
  forecast: number;
}

export function newLine(up: number, down: number): Line {
  return { up, down, outgoing: new Set(), incoming: new Set() };
}

export class Lines {
  readonly #agenda: Agenda;

  constructor(agenda: Agenda) {
    this.#agenda = agenda;
  }

  /** Begins a transfer. @param done when its last byte has left */
  send(from: Line, to: Line, bytes: number, done: () => void): Transfer {
    const transfer: Transfer = { from, to, done, left: bytes, rate: 0, sinceMs: this.#agenda.nowMs, forecast: 0 };
    from.outgoing.add(transfer);
    to.incoming.add(transfer);
    this.#share(from, to);
    return transfer;
  }

  /** Ends a transfer before its end. */
  cut(transfer: Transfer): void {
    transfer.forecast += 1;
    if (!transfer.from.outgoing.delete(transfer)) return;
    transfer.to.incoming.delete(transfer);
    this.#share(transfer.from, transfer.to);
  }

  #share(from: Line, to: Line): void {
    for (const transfer of from.outgoing) this.#renew(transfer);
    for (const transfer of to.incoming) this.#renew(transfer);
  }

  #renew(transfer: Transfer): void {
    const { from, to } = transfer;
    const rate = Math.min(from.up / from.outgoing.size, to.down / to.incoming.size);
    if (rate === transfer.rate) return;
    const { nowMs } = this.#agenda;
    transfer.left -= transfer.rate * (nowMs - transfer.sinceMs);
    transfer.sinceMs = nowMs;
    transfer.rate = rate;
    transfer.forecast += 1;
    const { forecast } = transfer;
    this.#agenda.after(Math.max(0, transfer.left) / rate, () => {
      if (transfer.forecast !== forecast) return;
      this.cut(transfer);
      transfer.done();
    });
  }
}
