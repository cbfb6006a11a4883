/**
 * Accounts as bytes of the state. Every transaction writes one for each signer, so the common kind is written by hand:
 * the same bytes as the generated code's.
 */
import { WireWriter } from '@mu/lib/wire-writer';
import { Any } from 'cosmjs-types/google/protobuf/any';
import { type Account, baseAccountUrl, toAny } from './account.ts';

const writer = new WireWriter();

/** What an account is in the state: an Any of a BaseAccount or of a ModuleAccount. */
export function encodeAccount(account: Account): Uint8Array {
  if (account.module !== undefined) return Any.encode(toAny(account)).finish();
  const { addressText, pubKey, accountNumber, sequence } = account;
  const value = writer.start().text(1, baseAccountUrl).begin(2);
  writer.text(1, addressText);
  if (pubKey !== undefined) {
    const any = writer.begin(2);
    writer.text(1, pubKey.typeUrl).bytes(2, pubKey.value).end(any);
  }
  return writer.uint(3, accountNumber).uint(4, sequence).end(value).finish();
}
