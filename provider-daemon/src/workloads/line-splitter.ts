/** Cuts a stream of bytes into lines of text. */

/** A line is cut here: a workload that never ends its line must not fill the memory. */
const maxLineBytes = 8 * 1024;
const newline = 0x0a;

export class LineSplitter {
  readonly #emit: (line: string) => void;
  #pending: Uint8Array[] = [];
  #length = 0;

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    while (from < chunk.length) {
      const room = from + maxLineBytes - this.#length;
      const end = chunk.indexOf(newline, from);
      const to = end < 0 ? chunk.length : end;
      const cut = Math.min(to, room);
      this.#pending.push(chunk.slice(from, cut));
      this.#length += cut - from;
      from = cut;
      if (cut === end) {
        this.flush(true);
        from += 1;
      } else if (this.#length >= maxLineBytes) {
        this.flush();
      }
    }
  }

  /** The rest that no newline ended; `empty`: an empty line counts. */
  flush(empty = false): void {
    if (this.#length === 0 && !empty) return;
    const line = Buffer.concat(this.#pending, this.#length).toString('utf8').replace(/\r$/, '');
    this.#pending = [];
    this.#length = 0;
    this.#emit(line);
  }
}
