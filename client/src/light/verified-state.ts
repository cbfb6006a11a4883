/** The records of a chain's state that are read one by one, each proved by a verified header. */
import { fromBech32 } from '@mu/lib/bech32';
import { fromUtf8 } from '@mu/lib/bytes';
import {
  accountKey,
  accountStore,
  balanceKey,
  bankStore,
  places,
  type RecordPlace,
  recordKey,
  supplyKey,
} from '@mu/lib/state-keys';
import { EscrowAccount } from '@mu/proto/billing';
import { Deployment } from '@mu/proto/deployment';
import { Fulfillment, Lease, Order } from '@mu/proto/market';
import { Node, PriceList, Provider } from '@mu/proto/provider';
import { BaseAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { Any } from 'cosmjs-types/google/protobuf/any';
import { LightError } from './errors.ts';
import type { VerifiedStore } from './verified-store.ts';

interface Codec<T> {
  decode(bytes: Uint8Array): T;
}

/** An order's id. */
export interface OrderName {
  readonly owner: string;
  readonly dseq: bigint;
  readonly infrastructure: number;
  readonly round: number;
}

/** Each read is undefined where it is proved that there is no such record. */
export class VerifiedState {
  readonly store: VerifiedStore;

  constructor(store: VerifiedStore) {
    this.store = store;
  }

  lease(number: bigint): Promise<Lease | undefined> {
    return this.#record(places.lease, number, Lease);
  }

  order({ owner, dseq, infrastructure, round }: OrderName): Promise<Order | undefined> {
    return this.#record(places.order, [fromBech32(owner), dseq, infrastructure, round], Order);
  }

  fulfillment(number: bigint): Promise<Fulfillment | undefined> {
    return this.#record(places.fulfillment, number, Fulfillment);
  }

  deployment(owner: string, dseq: bigint): Promise<Deployment | undefined> {
    return this.#record(places.deployment, [fromBech32(owner), dseq], Deployment);
  }

  escrow(owner: string, dseq: bigint): Promise<EscrowAccount | undefined> {
    return this.#record(places.escrow, [fromBech32(owner), dseq], EscrowAccount);
  }

  provider(owner: string): Promise<Provider | undefined> {
    return this.#record(places.provider, fromBech32(owner), Provider);
  }

  node(owner: string, nodeId: string): Promise<Node | undefined> {
    return this.#record(places.node, [fromBech32(owner), nodeId], Node);
  }

  priceList(owner: string, version: bigint): Promise<PriceList | undefined> {
    return this.#record(places.priceList, [fromBech32(owner), version], PriceList);
  }

  /** In the denomination's base unit; 0 where it is proved that there is none. */
  balance(address: string, denom: string): Promise<bigint> {
    return this.#amount(balanceKey(fromBech32(address), denom));
  }

  /** Of all accounts together. */
  supply(denom: string): Promise<bigint> {
    return this.#amount(supplyKey(denom));
  }

  /** Number and sequence of a plain account; undefined for an address that the chain has never seen. */
  async account(address: string): Promise<{ accountNumber: bigint; sequence: bigint } | undefined> {
    const { value } = await this.store.query(accountStore, accountKey(fromBech32(address)));
    if (value === undefined) return undefined;
    const any = decoded(Any, value, accountStore);
    if (any.typeUrl !== BaseAccount.typeUrl) {
      throw new LightError(`${address} is no plain account but ${any.typeUrl}`, { kind: 'malformed', fault: 'answer' });
    }
    const { accountNumber, sequence } = decoded(BaseAccount, any.value, accountStore);
    return { accountNumber, sequence };
  }

  async #record<K, T>(place: RecordPlace<K>, key: K, codec: Codec<T>): Promise<T | undefined> {
    const { value } = await this.store.query(place.store, recordKey(place, key));
    return value === undefined ? undefined : decoded(codec, value, place.store);
  }

  async #amount(key: Uint8Array): Promise<bigint> {
    const { value } = await this.store.query(bankStore, key);
    if (value === undefined) return 0n;
    const text = fromUtf8(value);
    if (!/^\d{1,78}$/.test(text)) {
      throw new LightError(`an amount in store "${bankStore}" is "${text}"`, { kind: 'malformed', fault: 'answer' });
    }
    return BigInt(text);
  }
}

/** What is proved may still be of another version of the chain than this program knows. */
function decoded<T>(codec: Codec<T>, bytes: Uint8Array, store: string): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new LightError(`a record of store "${store}" cannot be read: is this program as new as the chain?`, {
      kind: 'malformed',
      fault: 'answer',
      cause: error,
    });
  }
}
