/**
 * Short texts that survive `kill -9` of the daemon: how far a container’s log has been read, how much egress has been
 * counted. A mark is written in place by one call of the system, so it is the old one or the new one, never half of both.
 */
import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Marks are padded to this length: a shorter one leaves nothing of a longer one behind. */
const markBytes = 96;

export interface Marks {
  read(name: string): string | undefined;
  /** @throws Error for a text of more than 95 bytes */
  write(name: string, text: string): void;
  remove(name: string): void;
  names(): string[];
}

export class FolderMarks implements Marks {
  readonly #folder: string;

  /** Makes the folder. */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  read(name: string): string | undefined {
    try {
      const text = readFileSync(this.#path(name), 'utf8').trimEnd();
      return text === '' ? undefined : text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  write(name: string, text: string): void {
    const bytes = Buffer.alloc(markBytes, ' ');
    if (bytes.write(text) !== Buffer.byteLength(text) || text.length >= markBytes) {
      throw new Error(`the mark ${name} is longer than ${markBytes - 1} bytes`);
    }
    bytes[markBytes - 1] = 0x0a;
    const fd = openSync(this.#path(name), constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(fd, bytes, 0, markBytes, 0);
    } finally {
      closeSync(fd);
    }
  }

  remove(name: string): void {
    rmSync(this.#path(name), { force: true });
  }

  names(): string[] {
    return readdirSync(this.#folder).sort();
  }

  #path(name: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(name)) throw new Error(`“${name}” cannot be the name of a mark`);
    return join(this.#folder, name);
  }
}
