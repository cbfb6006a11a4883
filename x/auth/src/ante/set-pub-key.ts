/** Learns the keys of accounts that sign for the first time (SetPubKeyDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import { BoundedCache } from '@mu/framework/bounded-cache';
import type { Context } from '@mu/framework/context';
import { errInvalidPubKey, errTxDecode } from '@mu/framework/errors';
import { toMapKey } from '@mu/framework/store/sorted-map';
import { perTx, type Tx } from '@mu/framework/tx';
import { secp256k1Address } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { equalBytes, fromHex, toBase64 } from '@mu/lib/bytes';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { secp256k1Any, secp256k1KeyOf, secp256k1Url } from '../account.ts';
import type { AccountKeeper } from '../keeper.ts';
import { isCompressedKey } from '../signatures.ts';
import { requiredSigners, signatureData, signerAccount } from './signers.ts';

/** The key that the SDK puts where a simulated transaction names none. */
const simulatedBytes = fromHex('035ad6810a47f073553ff30d2fcc7e0d3b1c0b74b61a1aaa2582344037151e143a');
const simulatedKey: NamedKey = { key: simulatedBytes, address: secp256k1Address(simulatedBytes) };

export function setPubKey(auth: AccountKeeper): AnteStep {
  return {
    name: 'set-pub-key',
    run(ctx, tx) {
      const signers = requiredSigners(ctx, tx);
      const { signerInfos } = tx.authInfo;
      if (signerInfos.length !== signers.length) {
        throw errTxDecode.wrap(`expected ${signers.length} signer infos, got ${signerInfos.length}`);
      }
      signers.forEach((signer, at) => {
        const named = signerInfos[at]?.publicKey;
        if (named !== undefined) learn(ctx, auth, { signer, at, key: namedKey(tx, at, named) });
        else if (ctx.mode === 'simulate') learn(ctx, auth, { signer, at, key: simulatedKey });
      });
      if (ctx.tellsEvents) emitSignatures(ctx, tx, signers);
      else signatureData(tx);
      return undefined;
    },
  };
}

/** A key that a transaction names, and whose it is. */
interface NamedKey {
  readonly key: Uint8Array;
  /** of the account that this key signs for */
  readonly address: Uint8Array;
}

const keysOf = perTx((): (NamedKey | undefined)[] => []);

/** By place of the signer info: decoded and hashed once, however often the transaction is checked. */
function namedKey(tx: Tx, at: number, any: Any): NamedKey {
  const keys = keysOf(tx);
  const known = keys[at];
  if (known !== undefined) return known;
  const key = keyBytes(any);
  const named = { key, address: addressOf(key) };
  keys[at] = named;
  return named;
}

/** Who signs once signs again: two hashes less for each transaction. */
const addresses = new BoundedCache<Uint8Array>(20_000);

function addressOf(key: Uint8Array): Uint8Array {
  const name = toMapKey(key);
  let address = addresses.get(name);
  if (address === undefined) {
    address = secp256k1Address(key);
    addresses.set(name, address);
  }
  return address;
}

/** @throws AbciError invalid pubkey (8) when it is no compressed secp256k1 key: other kinds are not offered yet */
function keyBytes(any: Any): Uint8Array {
  if (any.typeUrl !== secp256k1Url) throw errInvalidPubKey.wrap(`unrecognized public key type: ${any.typeUrl}`);
  const key = secp256k1KeyOf(any);
  if (!isCompressedKey(key)) throw errInvalidPubKey.wrap('a secp256k1 key has 33 bytes and begins with 2 or 3');
  return key;
}

function learn(
  ctx: Context,
  auth: AccountKeeper,
  { signer, at, key: { key, address } }: { signer: Uint8Array; at: number; key: NamedKey },
): void {
  if (ctx.mode !== 'simulate' && !equalBytes(address, signer)) {
    const text = toBech32(ctx.chain.bech32Prefix, signer);
    throw errInvalidPubKey.wrap(`pubKey does not match signer address ${text} with signer index: ${at}`);
  }
  const account = signerAccount(ctx, auth, signer);
  if (account.pubKey !== undefined) return;
  if (account.module !== undefined) throw errInvalidPubKey.wrap('not supported for module accounts');
  auth.setAccount(ctx, { ...account, pubKey: secp256k1Any(key) });
}

/** By these a transaction is found: `tx.acc_seq='<address>/<sequence>'` and `tx.signature='<base64>'`. */
function emitSignatures(ctx: Context, tx: Tx, signers: readonly Uint8Array[]): void {
  signatureData(tx).forEach(({ sequence, signature }, at) => {
    const address = toBech32(ctx.chain.bech32Prefix, signers[at] as Uint8Array);
    // An unordered transaction uses no sequence.
    if (!tx.body.unordered) ctx.events.emit('tx', [['acc_seq', `${address}/${sequence}`]]);
    ctx.events.emit('tx', [['signature', toBase64(signature)]]);
  });
}
