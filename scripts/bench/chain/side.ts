/** One side of a comparison: a chain of one validator behind a CometBFT of its own, with the same settings as the other. */

export const chainId = 'peer-1';

/** The account that funds the load, of the well-known test words, on either chain. */
export const mnemonic = `${'abandon '.repeat(11)}about`;

export interface Side {
  readonly name: 'mu' | 'go';
  readonly rpc: string;
  /** of its addresses */
  readonly prefix: string;
  readonly denom: string;
  /** accounts of the load program's words that the genesis has: where there are any, they receive and are asked about */
  readonly filled: number;
  /** process ids by name */
  pids(): Readonly<Record<string, number>>;
  /** Starts both programs and waits for a block above a height. @returns milliseconds from start to that block */
  start(above: number): Promise<number>;
  /** address of the application's socket */
  readonly abci: string;
  /** From the next start on CometBFT waits no second between blocks: a restart is measured, not a pause. */
  hurry(): void;
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** bytes of everything on the disk */
  diskBytes(): number;
}

export interface SideOptions {
  /** where its files go; removed by whoever made it */
  readonly folder: string;
  /** accounts in the genesis beside the one that pays */
  readonly accounts: number;
}

/** Settings of CometBFT that differ from its defaults, for both sides; a block is bounded by its bytes alone. */
export const engineSettings = {
  'consensus.timeout_commit': '1000ms',
  'mempool.size': 5000,
  'mempool.cache_size': 10_000,
} as const;

/** CometBFT's settings for a restart to the next block. */
export const hurrySettings = { 'consensus.timeout_commit': '50ms' } as const;

export const blockBytes = 4_194_304;
