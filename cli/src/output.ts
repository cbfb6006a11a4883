/** What mucli prints: results on stdout, as text for people or as JSON; progress on stderr. */
import { fields as columnsOf } from '@mu/lib/columns';

export interface Output {
  readonly json: boolean;
  /** The result of a command: JSON as one line, or the text that people read. */
  result(value: unknown, text: () => string): void;
  /** A step on the way, on stderr: it never mixes with a result. */
  step(message: string): void;
}

export function createOutput(json: boolean): Output {
  return {
    json,
    result(value, text) {
      process.stdout.write(`${json ? toJson(value) : text()}\n`);
    },
    step(message) {
      process.stderr.write(`${message}\n`);
    },
  };
}

/** JSON in which 64-bit numbers are texts and bytes are base64, as everywhere on a Cosmos chain. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return part.toString();
    if (part instanceof Uint8Array) return Buffer.from(part).toString('base64');
    return part;
  });
}

/** Fields of one record, a line each. */
export function fields(record: Readonly<Record<string, unknown>>): string {
  return columnsOf(record, (value) => (typeof value === 'object' && value !== null ? toJson(value) : String(value)));
}
