/** Where the package says what happens; pino's shape. */
export interface AbciLog {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export const silentLog: AbciLog = { info: () => undefined, warn: () => undefined, error: () => undefined };
