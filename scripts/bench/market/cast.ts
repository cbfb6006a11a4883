/** Who acts in the market of the bench: the same people at every size, so that blocks of any two sizes are the same work. */
import { createPrivateKey, sign } from 'node:crypto';
import { concatBytes, fromHex, utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { benchWallets, type Wallet } from '../sends.ts';

/** Users, and as many providers: few enough that in the smallest market no count of theirs comes to 0, whose gas differs. */
export const people = 50;

/** A machine of a provider, which signs usage. */
export interface NodeKey {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

export interface ProviderWallet extends Wallet {
  readonly node: NodeKey;
}

export interface Cast {
  readonly users: readonly Wallet[];
  readonly providers: readonly ProviderWallet[];
  /** acts for every provider: its messages confirm leases all over the market */
  readonly operator: Wallet;
}

export function benchCast(): Cast {
  const wallets = benchWallets(2 * people + 1);
  return {
    users: wallets.slice(0, people),
    providers: wallets.slice(people, 2 * people).map((one, at) => ({ ...one, node: nodeKey(`bench node ${at}`) })),
    operator: wallets[2 * people] as Wallet,
  };
}

/** Everybody, in the order of their account numbers. */
export function everybody({ users, providers, operator }: Cast): Wallet[] {
  return [...users, ...providers, operator];
}

/** An Ed25519 key (RFC 8032) made of a name. */
function nodeKey(name: string): NodeKey {
  const der = concatBytes(fromHex('302e020100300506032b657004220420'), sha256(utf8(name)));
  const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  const publicKey = new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x as string, 'base64url'));
  return { publicKey, sign: (message) => new Uint8Array(sign(null, message, key)) };
}
