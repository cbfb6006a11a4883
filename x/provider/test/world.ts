/** A bank and a market that hold just enough for x/provider, in stores that branch and roll back like real ones. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type Context, freshContext } from '@mu/framework/context';
import { AbciError, errInsufficientFunds, errUnauthorized } from '@mu/framework/errors';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { moduleAddress } from '@mu/lib/address';
import type { Coin } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import { fromUtf8, toHex, utf8 } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { nodeSignBytes } from '@mu/lib/sign-bytes';
import {
  MsgAddNode,
  MsgDefinition,
  MsgRegisterProvider,
  NodeCertificate,
  type Params,
  type Provider,
} from '@mu/proto/provider';
import type { ProviderDeps } from '../src/expected-keepers.ts';
import { ProviderKeeper } from '../src/keeper.ts';
import { createProviderModule } from '../src/module.ts';
import { createMsgServer } from '../src/msg-server.ts';
import { authorityItem, paramsItem } from '../src/state.ts';

export const chain = { chainId: 'mu-test-1', bech32Prefix: 'mu', denom: 'umu' };
export const address = (seed: number): string => toBech32('mu', new Uint8Array(20).fill(seed));
export const owner = address(1);
export const operator = address(2);
export const payout = address(3);
export const other = address(4);
export const auditor = address(5);
export const authority = address(6);
export const module = toBech32('mu', moduleAddress('provider'));
export const dec = (text: string): string => Dec.fromString(text).atomicsString();
export const defaultDeposit = 100_000_000n;

/** An Ed25519 key from a seed, so that the tests' figures stay the same (PKCS #8 of RFC 8410). */
export function keyOf(seed: number): { readonly key: KeyObject; readonly publicKey: Buffer } {
  const pkcs8 = Buffer.from(`302e020100300506032b657004220420${toHex(new Uint8Array(32).fill(seed))}`, 'hex');
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
  return { key, publicKey: createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32) };
}

export const nodeAuthority = keyOf(1);
export const nodeKey = keyOf(2);

/** Bytes framed as one DER sequence, which is all of a certificate that the chain looks at. */
export function der(length: number): Buffer {
  const body = length < 130 ? length - 2 : length - 4;
  const head = length < 130 ? [0x30, body] : [0x30, 0x82, body >> 8, body & 255];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(body, 7)]);
}

export function registration(parts: Partial<MsgRegisterProvider> = {}): MsgRegisterProvider {
  return MsgRegisterProvider.fromPartial({
    owner,
    operators: [operator],
    payoutAddress: payout,
    hostUri: 'https://dc1.example:8443',
    gatewayUri: 'http://dc1.example',
    regions: ['local'],
    services: ['mu-function', 'mu-gateway'],
    attributes: [{ key: 'tier', value: 'gold' }],
    roots: [{ certificate: der(300), validFromHeight: 0n, validToHeight: 0n }],
    nodeAuthorityKey: nodeAuthority.publicKey,
    encryptionKeys: [{ keyId: 1, publicKey: Buffer.alloc(32, 9), validFromHeight: 0n, validToHeight: 100n }],
    prices: [
      { metric: 'function-invocations', price: dec('0.5'), per: 1_000n },
      { metric: 'gateway-requests', price: dec('0'), per: 1n },
    ],
    ...parts,
  });
}

/** A node certified by the authority; what is changed after the signing is no longer certified. */
export function node(parts: Partial<MsgAddNode> = {}, by = nodeAuthority.key, chainId = chain.chainId): MsgAddNode {
  const terms = {
    nodeId: 'node-1',
    publicKey: nodeKey.publicKey,
    region: 'local',
    validFromHeight: 10n,
    validToHeight: 1_000n,
    ...parts,
  };
  const certified = NodeCertificate.encode(
    NodeCertificate.fromPartial({ provider: (parts.owner ?? owner).toLowerCase(), ...terms }),
  ).finish();
  const signature = sign(null, nodeSignBytes(chainId, certified), by);
  return MsgAddNode.fromPartial({ owner, ...terms, signature });
}

export class World {
  readonly store = new MemoryCommitStore(['provider', 'bank']);
  readonly stores = new BranchMultiStore(this.store);
  /** providers with open bids or live leases */
  readonly busy = new Set<string>();
  /** accounts that take no coins */
  readonly blocked = new Set<string>();
  readonly bank = {
    sendFromAccountToModule: (ctx: Context, from: string, to: string, coins: Coin[]): void =>
      this.#move(ctx, from, toBech32('mu', moduleAddress(to)), coins),
    sendFromModuleToAccount: (ctx: Context, from: string, to: string, coins: Coin[]): void => {
      if (this.blocked.has(to)) throw errUnauthorized.wrap(`${to} is not allowed to receive funds`);
      this.#move(ctx, toBech32('mu', moduleAddress(from)), to, coins);
    },
    balance: (ctx: Context, of: string, denom: string): bigint =>
      BigInt(fromUtf8(ctx.stores.store('bank').get(utf8(`${of}/${denom}`)) ?? utf8('0'))),
  };
  readonly deps: ProviderDeps = {
    bank: this.bank,
    market: { hasOpenWork: (_ctx, provider) => this.busy.has(provider) },
  };
  readonly keeper = new ProviderKeeper(this.deps);
  readonly module = createProviderModule({ keeper: this.keeper });
  readonly msgs = createMsgServer(this.keeper) as Required<ReturnType<typeof createMsgServer>>;
  ctx: Context;

  constructor(params: Partial<Params> = {}, height = 10n) {
    this.ctx = this.at(height);
    this.module.genesis.init(this.ctx, this.module.genesis.defaults());
    paramsItem.set(this.ctx, { ...paramsItem.get(this.ctx), ...params });
    authorityItem.set(this.ctx, authority);
    for (const account of [owner, other]) this.fund(account, 1_000_000_000n);
  }

  /** The same state at another height, with fresh gas and events. */
  at(height: bigint): Context {
    const block = { height, timeNs: 0n, proposer: new Uint8Array(20) };
    this.ctx = freshContext({ chain, block, mode: 'finalize', stores: this.stores });
    return this.ctx;
  }

  /** The end of the block of that height. */
  end(height: bigint): void {
    this.module.endBlock?.(this.at(height));
  }

  fund(of: string, amount: bigint, ctx: Context = this.ctx): void {
    ctx.stores.store('bank').set(utf8(`${of}/umu`), utf8(amount.toString()));
  }

  balance(of: string): bigint {
    return this.bank.balance(this.ctx, of, 'umu');
  }

  #move(ctx: Context, from: string, to: string, coins: readonly Coin[]): void {
    for (const { denom, amount } of coins) {
      const had = this.bank.balance(ctx, from, denom);
      if (had < BigInt(amount)) throw errInsufficientFunds.wrap(`${had}${denom}`);
      this.fund(from, had - BigInt(amount), ctx);
      this.fund(to, this.bank.balance(ctx, to, denom) + BigInt(amount), ctx);
    }
  }

  register(parts: Partial<MsgRegisterProvider> = {}): void {
    this.msgs.registerProvider(this.ctx, registration(parts));
  }

  provider(of = owner): Provider {
    return this.keeper.requireProvider(this.ctx, of);
  }

  /** Names of the invariants that do not hold, with what is broken. */
  broken(): string[] {
    return this.module.invariants.flatMap(({ name, check }) => {
      const found = check(this.ctx);
      return found === undefined ? [] : [`${name}: ${found}`];
    });
  }

  /** SHA-256 over all pairs of the module's store. */
  hash(): string {
    const hash = createHash('sha256');
    for (const [key, value] of this.stores.store('provider').iterate()) {
      hash.update(`${toHex(key)}=${toHex(value)};`);
    }
    return hash.digest('hex');
  }
}

/** Every message of the module has a handler in this test's reach. */
export const methodNames = Object.keys(MsgDefinition.methods).sort();

/** The `codespace/code` that a call is refused with. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AbciError) return `${error.codespace}/${error.code}`;
    throw error;
  }
  return 'accepted';
}
