/** Lies that fit together: a block of the attacker's own, and a set of validators that has signed it. */
import { type KeyObject, sign } from 'node:crypto';
import { Comet38Client } from '@cosmjs/tendermint-rpc';
import { headerFromRpc } from '@mu/client/light/comet-blocks';
import { fromHex, toBase64, toHex } from '@mu/lib/bytes';
import { headerHash, precommitSignBytes } from '@mu/lib/comet-header';
import { validatorsHash } from '@mu/lib/comet-validators';
import type { Header } from 'cosmjs-types/tendermint/types/types';
import type { Json, Lie } from '../lying-rpc.ts';
import { attacker } from './attacker.ts';
import { flipHex, set } from './case.ts';

/** A header as the light client reads it from JSON. */
async function readHeader(signedHeader: Json): Promise<Header> {
  const result = { canonical: true, signed_header: signedHeader };
  const comet = await Comet38Client.create({
    execute: async () => ({ jsonrpc: '2.0', id: 1, result }),
    disconnect: () => undefined,
  });
  return headerFromRpc((await comet.commit()).header);
}

export interface Forger {
  readonly secret: KeyObject;
  readonly publicKey: Uint8Array;
  /** as the commit names the signer */
  readonly address: string;
  /** what the header says of the validators is the forger's too */
  readonly ownSet: boolean;
  /** the last real block */
  readonly after: bigint;
}

/** A block with another app hash, of one piece: hashes, commit and signature belong together. */
export function forgery({ secret, publicKey, address, ownSet, after }: Forger): Lie {
  return async (result) => {
    const { header: h, commit: c } = result.signed_header;
    if (BigInt(h.height) <= after) return result;
    h.app_hash = flipHex(h.app_hash);
    if (ownSet) {
      const hash = toHex(validatorsHash([{ pubKey: { ed25519: publicKey }, votingPower: 10n }])).toUpperCase();
      h.validators_hash = hash;
      h.next_validators_hash = hash;
    }
    const read = await readHeader(result.signed_header);
    const hash = headerHash(read);
    const { total, hash: parts } = c.block_id.parts;
    c.block_id.hash = toHex(hash).toUpperCase();
    c.signatures[0].validator_address = address;
    c.signatures[0].timestamp = h.time;
    const blockId = { hash, partSetHeader: { total, hash: fromHex(parts.toLowerCase()) } };
    const vote = { height: read.height, round: c.round, blockId, timestamp: read.time };
    c.signatures[0].signature = toBase64(sign(null, precommitSignBytes(h.chain_id, vote), secret));
    return result;
  };
}

/** After the first blocks the attacker is the only validator. */
export const ownValidators = set((r) => {
  if (Number(r.block_height) <= 3) return;
  r.validators[0] = {
    address: attacker.address,
    pub_key: { type: 'tendermint/PubKeyEd25519', value: toBase64(attacker.publicKey) },
    voting_power: '10',
    proposer_priority: '0',
  };
});
