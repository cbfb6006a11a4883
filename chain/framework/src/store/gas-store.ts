/** A store whose access costs gas, charged exactly as the SDK's gaskv store does (store/gaskv/store.go). */
import { type GasMeter, kvGas } from '../gas.ts';
import type { KVStore } from './kv-store.ts';

export class GasStore implements KVStore {
  readonly #parent: KVStore;
  readonly #gas: GasMeter;

  constructor(parent: KVStore, gas: GasMeter) {
    this.#parent = parent;
    this.#gas = gas;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#gas.consume(kvGas.readFlat, 'ReadFlat');
    const value = this.#parent.get(key);
    this.#gas.consume(kvGas.readPerByte * key.length, 'ReadPerByte');
    this.#gas.consume(kvGas.readPerByte * (value?.length ?? 0), 'ReadPerByte');
    return value;
  }

  has(key: Uint8Array): boolean {
    this.#gas.consume(kvGas.has, 'Has');
    return this.#parent.has(key);
  }

  set(key: Uint8Array, value: Uint8Array): void {
    this.#gas.consume(kvGas.writeFlat, 'WriteFlat');
    this.#gas.consume(kvGas.writePerByte * key.length, 'WritePerByte');
    this.#gas.consume(kvGas.writePerByte * value.length, 'WritePerByte');
    this.#parent.set(key, value);
  }

  delete(key: Uint8Array): void {
    this.#gas.consume(kvGas.delete, 'Delete');
    this.#parent.delete(key);
  }

  // The SDK charges the pair at the cursor when the iterator is made and again at each step that leaves it.
  *iterate(start?: Uint8Array, end?: Uint8Array, reverse = false): IterableIterator<[Uint8Array, Uint8Array]> {
    const below = this.#parent.iterate(start, end, reverse);
    let at = below.next();
    this.#chargeSeek(at);
    while (!at.done) {
      yield at.value;
      this.#chargeSeek(at);
      at = below.next();
    }
  }

  #chargeSeek(at: IteratorResult<[Uint8Array, Uint8Array]>): void {
    if (!at.done) {
      this.#gas.consume(kvGas.readPerByte * at.value[0].length, 'ValuePerByte');
      this.#gas.consume(kvGas.readPerByte * at.value[1].length, 'ValuePerByte');
    }
    this.#gas.consume(kvGas.iterateFlat, 'IterNextFlat');
  }
}
