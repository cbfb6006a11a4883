/**
 * Errors of the state machine: a (codespace, code) pair that consensus agrees on, and a text that it does not.
 * Codes and texts of codespace `sdk` are the Cosmos SDK's (types/errors/errors.go); clients match on both.
 */

const registered = new Map<string, string>();

/** A kind of error. `wrap` makes one that can be thrown, with the SDK's `<what>: <description>` text. */
export class ErrorKind {
  readonly codespace: string;
  readonly code: number;
  readonly description: string;

  constructor(codespace: string, code: number, description: string) {
    this.codespace = codespace;
    this.code = code;
    this.description = description;
  }

  /** An error of this kind whose text says what happened here. */
  wrap(what: string): AbciError {
    return new AbciError(this, `${what}: ${this.description}`);
  }

  /** An error of this kind with the kind's own text. */
  bare(): AbciError {
    return new AbciError(this, this.description);
  }
}

/** What is thrown inside the state machine when a message, a transaction or a query cannot be carried out. */
export class AbciError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string) {
    super(message);
    this.name = 'AbciError';
    this.kind = kind;
  }

  get codespace(): string {
    return this.kind.codespace;
  }

  get code(): number {
    return this.kind.code;
  }

  /** The same kind of error, its text prefixed by where it happened. */
  at(where: string): AbciError {
    return new AbciError(this.kind, `${where}: ${this.message}`);
  }
}

/**
 * Registers an error. Modules use their own name as codespace and codes from 2 upwards (1 is the SDK's internal error).
 * @throws Error when the pair is taken: two errors that clients cannot tell apart are a programming mistake.
 */
export function registerError(codespace: string, code: number, description: string): ErrorKind {
  const pair = `${codespace}/${code}`;
  const taken = registered.get(pair);
  if (taken !== undefined) throw new Error(`error ${pair} is registered twice: "${taken}" and "${description}"`);
  registered.set(pair, description);
  return new ErrorKind(codespace, code, description);
}

/** All registered errors as [codespace, code, description], sorted, for documentation and its test. */
export function registeredErrors(): [string, number, string][] {
  return [...registered.entries()]
    .map(([pair, text]): [string, number, string] => {
      const slash = pair.lastIndexOf('/');
      return [pair.slice(0, slash), Number(pair.slice(slash + 1)), text];
    })
    .sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1));
}

const sdk = (code: number, description: string): ErrorKind => registerError('sdk', code, description);

export const errInternal = sdk(1, 'internal');
export const errTxDecode = sdk(2, 'tx parse error');
export const errInvalidSequence = sdk(3, 'invalid sequence');
export const errUnauthorized = sdk(4, 'unauthorized');
export const errInsufficientFunds = sdk(5, 'insufficient funds');
export const errUnknownRequest = sdk(6, 'unknown request');
export const errInvalidAddress = sdk(7, 'invalid address');
export const errInvalidPubKey = sdk(8, 'invalid pubkey');
export const errUnknownAddress = sdk(9, 'unknown address');
export const errInvalidCoins = sdk(10, 'invalid coins');
export const errOutOfGas = sdk(11, 'out of gas');
export const errMemoTooLarge = sdk(12, 'memo too large');
export const errInsufficientFee = sdk(13, 'insufficient fee');
export const errTooManySignatures = sdk(14, 'maximum number of signatures exceeded');
export const errNoSignatures = sdk(15, 'no signatures supplied');
export const errInvalidRequest = sdk(18, 'invalid request');
export const errTxInMempoolCache = sdk(19, 'tx already in mempool');
export const errMempoolIsFull = sdk(20, 'mempool is full');
export const errTxTooLarge = sdk(21, 'tx too large');
export const errKeyNotFound = sdk(22, 'key not found');
export const errInvalidHeight = sdk(26, 'invalid height');
export const errInvalidChainId = sdk(28, 'invalid chain-id');
export const errInvalidType = sdk(29, 'invalid type');
export const errTxTimeoutHeight = sdk(30, 'tx timeout height');
export const errUnknownExtensionOptions = sdk(31, 'unknown extension options');
export const errWrongSequence = sdk(32, 'incorrect account sequence');
export const errUnpackAny = sdk(34, 'failed unpacking protobuf message from Any');
export const errLogic = sdk(35, 'internal logic error');
export const errConflict = sdk(36, 'conflict');
export const errNotSupported = sdk(37, 'feature not supported');
export const errNotFound = sdk(38, 'not found');
export const errInvalidGasLimit = sdk(41, 'invalid gas limit');
export const errTxTimeout = sdk(42, 'tx timeout');
/** Parameters are changed by the authority alone; every module answers others with this error of x/gov, as in the SDK. */
export const errInvalidAuthority = registerError('gov', 13, 'expected gov account as only signer for proposal message');
/** A fault of ours, met while carrying out a message: it fails with this code, it does not stop the node. */
export const errPanic = registerError('sdk', 111222, 'panic');

/** What a failure looks like to consensus and to the client. */
export interface Failure {
  readonly codespace: string;
  readonly code: number;
  readonly log: string;
}

/** Any thrown value as a failure: errors of the state machine keep their code, everything else is a panic (111222). */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof AbciError) {
    return { codespace: thrown.codespace, code: thrown.code, log: thrown.message };
  }
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : 'unknown value thrown';
  return { codespace: errPanic.codespace, code: errPanic.code, log: `${text}: ${errPanic.description}` };
}
