/** What a piece of state-machine code may know and do: the block, the stores, the gas and the events. Nothing else. */

import { type Failure, toFailure } from './errors.ts';
import { EventLog } from './events.ts';
import { GasMeter } from './gas.ts';
import { BranchMultiStore } from './store/branch-store.ts';
import { GasStore } from './store/gas-store.ts';
import type { KVStore, MultiStore } from './store/kv-store.ts';

/** Facts of a chain that genesis sets once (design §5: nothing is hard-coded). */
export interface ChainConstants {
  readonly chainId: string;
  /** human-readable part of account addresses, `mu` by default */
  readonly bech32Prefix: string;
  /** the base denomination, `umu` by default */
  readonly denom: string;
  /** who may change parameters and plan upgrades, as an address; the account of governance where it is absent */
  readonly authority?: string;
}

/** The block that is being executed, or the last committed one for checks and queries. */
export interface BlockInfo {
  readonly height: bigint;
  /** block time in nanoseconds since 1970 (UTC) */
  readonly timeNs: bigint;
  readonly proposer: Uint8Array;
}

/** Why code runs. Only `finalize` and `genesis` leave traces in the state. */
export type ExecMode = 'genesis' | 'check' | 'recheck' | 'simulate' | 'proposal' | 'finalize' | 'query';

/** Parts of a context that a derived one may replace. */
export interface ContextParts {
  readonly chain: ChainConstants;
  readonly block: BlockInfo;
  readonly mode: ExecMode;
  readonly stores: MultiStore;
  readonly gas: GasMeter;
  readonly events: EventLog;
  /** the transaction's bytes; empty outside of one */
  readonly txBytes: Uint8Array;
  /** SHA-256 of them; empty outside of a transaction */
  readonly txHash: Uint8Array;
  /** gas that all transactions of a block may want together; undefined for no limit */
  readonly blockGasLimit: bigint | undefined;
}

export class Context implements ContextParts {
  readonly chain: ChainConstants;
  readonly block: BlockInfo;
  readonly mode: ExecMode;
  readonly stores: MultiStore;
  readonly gas: GasMeter;
  readonly events: EventLog;
  readonly txBytes: Uint8Array;
  readonly txHash: Uint8Array;
  readonly blockGasLimit: bigint | undefined;
  #metered: Map<string, KVStore> | undefined;

  constructor(parts: ContextParts) {
    this.chain = parts.chain;
    this.block = parts.block;
    this.mode = parts.mode;
    this.stores = parts.stores;
    this.gas = parts.gas;
    this.events = parts.events;
    this.txBytes = parts.txBytes;
    this.txHash = parts.txHash;
    this.blockGasLimit = parts.blockGasLimit;
  }

  get height(): bigint {
    return this.block.height;
  }

  /**
   * Whether anybody will see the events. A check has none, as in the SDK: they would tell of what has not happened. Where
   * one is costly to make it need not be made then.
   */
  get tellsEvents(): boolean {
    return this.mode !== 'check' && this.mode !== 'recheck';
  }

  /** The store of that name; every access costs gas. */
  store(name: string): KVStore {
    let store = this.#metered?.get(name);
    if (store === undefined) {
      store = new GasStore(this.stores.store(name), this.gas);
      this.#metered ??= new Map();
      this.#metered.set(name, store);
    }
    return store;
  }

  /** This context with some parts replaced. */
  with(parts: Partial<ContextParts>): Context {
    // Spelled out: a spread takes several times as long, and every transaction makes a dozen of these.
    return new Context({
      chain: parts.chain ?? this.chain,
      block: parts.block ?? this.block,
      mode: parts.mode ?? this.mode,
      stores: parts.stores ?? this.stores,
      gas: parts.gas ?? this.gas,
      events: parts.events ?? this.events,
      txBytes: parts.txBytes ?? this.txBytes,
      txHash: parts.txHash ?? this.txHash,
      blockGasLimit: 'blockGasLimit' in parts ? parts.blockGasLimit : this.blockGasLimit,
    });
  }

  /** A context on a branch of the stores with its own events; `write` hands both to this one. */
  branch(): { ctx: Context; write: () => void } {
    const stores = new BranchMultiStore(this.stores);
    const events = new EventLog();
    return {
      ctx: this.with({ stores, events }),
      write: () => {
        stores.write();
        this.events.append(events.events);
      },
    };
  }

  /**
   * Runs a step of Begin/EndBlock on a branch of its own: written when it succeeds, dropped with its events when it
   * throws. Nothing that a user causes may stop a block (ASA-2025-003), so the failure is returned, not thrown.
   */
  isolated(step: (ctx: Context) => void): Failure | undefined {
    const { ctx, write } = this.branch();
    try {
      step(ctx);
    } catch (thrown) {
      return toFailure(thrown);
    }
    write();
    return undefined;
  }
}

/** A context for a fresh piece of work: no gas limit, no events yet. */
export function freshContext(
  parts: Pick<ContextParts, 'chain' | 'block' | 'mode' | 'stores'> & Partial<Pick<ContextParts, 'blockGasLimit'>>,
): Context {
  const { blockGasLimit } = parts;
  const noTx = { txBytes: new Uint8Array(), txHash: new Uint8Array() };
  return new Context({ ...parts, gas: new GasMeter(), events: new EventLog(), ...noTx, blockGasLimit });
}
