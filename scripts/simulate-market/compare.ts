/** Finds what the application and the model say differently: what a block begins with, answers, records. */
import { fromHex, toHex } from '@mu/lib/bytes';
import * as billing from '@mu/proto/billing';
import * as deployment from '@mu/proto/deployment';
import * as market from '@mu/proto/market';
import * as provider from '@mu/proto/provider';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import { TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import type { Due, Outcome } from './model/model.ts';
import { type Stored, viewOf } from './model/view.ts';
import type { World } from './model/world.ts';
import type { Executed, RealChain } from './real/chain.ts';

/** A difference: where, and what each of the two says. */
export interface Difference {
  readonly path: string;
  readonly real: string;
  readonly model: string;
}

export class Different extends Error {
  readonly difference: Difference;

  constructor(difference: Difference) {
    super(`${difference.path}: ${difference.real}, in the model ${difference.model}`);
    this.difference = difference;
  }
}

interface Codec {
  readonly $type: string;
  decode(bytes: Uint8Array): object;
}

/** Records that the model has, by store and first byte of the key; whatever else stands in a store follows from them. */
const codecs: { readonly [store: string]: { readonly [prefix: number]: Codec | 'text' | 'bytes' } } = {
  bank: { 0: 'text', 2: 'text' },
  provider: {
    0: provider.Params,
    2: provider.Provider,
    4: provider.PriceList,
    5: provider.Node,
    7: provider.Attestation,
  },
  deployment: { 0: deployment.Params, 2: deployment.Deployment, 3: 'bytes' },
  market: {
    1: market.Params,
    3: 'bytes',
    4: 'bytes',
    5: market.InterestLedger,
    16: market.Order,
    32: market.Fulfillment,
    48: market.Lease,
  },
  billing: {
    1: billing.Params,
    16: billing.EscrowAccount,
    17: billing.DepositorShare,
    32: billing.UsageRecord,
    33: billing.UsageTotal,
    48: billing.BillLine,
  },
};

const comparedStores = Object.keys(codecs);

const codecOf = (store: string, key: Uint8Array) => codecs[store]?.[key[0] as number];

const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === 'bigint') return `${value}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, plain(inner)]));
};

/** The first place at which two values are not the same. */
function firstDifference(path: string, real: unknown, model: unknown): Difference | undefined {
  const areObjects = [real, model].every((one) => typeof one === 'object' && one !== null);
  if (!areObjects) {
    return real === model
      ? undefined
      : { path, real: JSON.stringify(real) ?? 'nothing', model: JSON.stringify(model) ?? 'nothing' };
  }
  const [ours, theirs] = [real as Record<string, unknown>, model as Record<string, unknown>];
  for (const field of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const found = firstDifference(`${path}.${field}`, ours[field], theirs[field]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function readable(store: string, key: Uint8Array, bytes: Uint8Array | undefined): unknown {
  if (bytes === undefined) return 'nothing';
  const codec = codecOf(store, key);
  if (codec === 'text') return Buffer.from(bytes).toString();
  return codec === undefined || codec === 'bytes' ? toHex(bytes) : plain(codec.decode(bytes));
}

function needSame(store: string, key: Uint8Array, real: Uint8Array | undefined, model: Uint8Array | undefined): void {
  if (real === model) return;
  if (real !== undefined && model !== undefined && Buffer.compare(real, model) === 0) return;
  const codec = codecOf(store, key);
  const name = typeof codec === 'object' ? codec.$type : store;
  const path = `${name}[${toHex(key)}]`;
  const [ours, theirs] = [readable(store, key, real), readable(store, key, model)];
  throw new Different(
    firstDifference(path, ours, theirs) ?? {
      path: `${path} (bytes)`,
      real: `${real && toHex(real)}`,
      model: `${model && toHex(model)}`,
    },
  );
}

/** Compares block by block; it remembers what the two agreed on, for what only one of them touches. */
export class Comparer {
  readonly #agreed = new Map<string, Uint8Array>();

  /** Everything that the last block touched, in either. @throws Different */
  compareTouched(chain: RealChain, world: World): void {
    const views = new Map<string, Stored>();
    for (const record of world.touched) {
      const view = viewOf(world, record);
      const place = placeOf(view.store, view.key);
      // A record may have gone and another one come at its place in the same block.
      if (views.get(place)?.bytes === undefined) views.set(place, view);
    }
    const real = new Map(
      chain.changes
        .filter(({ store, key }) => codecOf(store, key) !== undefined)
        .map(({ store, key, value }) => [placeOf(store, toHex(key)), { store, key: toHex(key), bytes: value }]),
    );
    for (const [place, { store, key }] of new Map([...views, ...real])) {
      const before = this.#agreed.get(place);
      const [ours, theirs] = [real.get(place), views.get(place)].map((one) => (one === undefined ? before : one.bytes));
      needSame(store, fromHex(key), ours, theirs);
      if (ours === undefined) this.#agreed.delete(place);
      else this.#agreed.set(place, ours);
    }
    world.touched.clear();
  }

  /** Everything there is; from here on the two have agreed on it. @throws Different */
  compareAll(chain: RealChain, world: World): void {
    world.touched.clear();
    this.#agreed.clear();
    const views = new Map<string, Stored>();
    for (const record of Object.values(world.lists).flat()) {
      const view = viewOf(world, record);
      if (view.bytes !== undefined) views.set(placeOf(view.store, view.key), view);
    }
    for (const store of comparedStores) {
      for (const [key, value] of chain.pairs(store)) {
        if (codecOf(store, key) === undefined) continue;
        const place = placeOf(store, toHex(key));
        needSame(store, key, value, views.get(place)?.bytes);
        this.#agreed.set(place, value);
        views.delete(place);
      }
    }
    for (const { store, key, bytes } of views.values()) needSame(store, fromHex(key), undefined, bytes);
  }
}

const placeOf = (store: string, key: string): string => `${store}/${key}`;

/** What a block began with. @throws Different */
export function compareDue(first: Executed['first'], due: Due): void {
  const messages = first === undefined ? [] : TxBody.decode(TxRaw.decode(first.tx).bodyBytes).messages;
  const real = messages.map(({ typeUrl, value }) => lineOf(typeUrl, value));
  requireSame('what the block begins with', real, due);
  if (first === undefined) return;
  for (const { typeUrl, value } of TxMsgData.decode(first.result.data).msgResponses) {
    const { code, codespace } = responseOf(typeUrl, value) as { code: number; codespace: string };
    requireSame(`answer of what the block begins with (${typeUrl})`, { code, codespace }, { code: 0, codespace: '' });
  }
}

function lineOf(typeUrl: string, value: Uint8Array): string {
  if (typeUrl === `/${market.MsgSubmitStaleLease.$type}`)
    return `stale ${market.MsgSubmitStaleLease.decode(value).lease}`;
  const { order } = market.MsgSubmitLease.decode(value);
  return `match ${order?.owner}/${order?.dseq}/${order?.infrastructure}/${order?.round}`;
}

/** What became of a transaction, and what it answers as far as the model says it. @throws Different */
export function compareResult(path: string, real: ExecTxResult, model: Outcome): void {
  const { code, codespace } = real;
  const told = code === 0 ? {} : { log: real.log };
  requireSame(path, { code, codespace, ...told }, { code: model.code, codespace: model.codespace, ...told });
  if (code !== 0) return;
  TxMsgData.decode(real.data).msgResponses.forEach(({ typeUrl, value }, at) => {
    const answer = plain(responseOf(typeUrl, value)) as Record<string, unknown>;
    const expected = plain(model.responses[at]) as Record<string, unknown>;
    const asked = Object.fromEntries(Object.keys(expected).map((field) => [field, answer[field]]));
    requireSame(`${path}.responses[${at}] (${typeUrl})`, asked, expected);
  });
}

const responses = new Map<string, Codec>(
  [provider, deployment, market, billing].flatMap((module) =>
    Object.entries(module)
      .filter(([name]) => name.startsWith('Msg') && name.endsWith('Response'))
      .map(([, codec]): [string, Codec] => [`/${(codec as Codec).$type}`, codec as Codec]),
  ),
);

function responseOf(typeUrl: string, value: Uint8Array): object {
  const codec = responses.get(typeUrl);
  if (codec === undefined) throw new Error(`nobody knows ${typeUrl}`);
  return codec.decode(value);
}

/** @throws Different */
export function requireSame(path: string, real: unknown, model: unknown): void {
  const found = firstDifference(path, plain(real), plain(model));
  if (found !== undefined) throw new Different(found);
}
