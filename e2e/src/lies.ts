/** The lies that a light client must catch, one thing changed in each. */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { Comet38Client } from '@cosmjs/tendermint-rpc';
import { headerFromRpc } from '@mu/client/light/comet-blocks';
import type { LightErrorKind, LightFault } from '@mu/client/light/errors';
import { fromBase64, fromHex, toBase64, toHex } from '@mu/lib/bytes';
import { headerHash, precommitSignBytes } from '@mu/lib/comet-header';
import { addressOfKey, validatorsHash } from '@mu/lib/comet-validators';
import { supplyKey } from '@mu/lib/state-keys';
import type { Header } from 'cosmjs-types/tendermint/types/types';
import type { Ask, Json, Lie } from './lying-rpc.ts';

function flipBase64(text: string, at = 0.5): string {
  const bytes = fromBase64(text).slice();
  const place = Math.floor(bytes.length * at);
  bytes[place] = (bytes[place] as number) ^ 0x10;
  return toBase64(bytes);
}

export function flipHex(text: string): string {
  return `${text.slice(0, 10)}${text[10] === 'A' ? 'B' : 'A'}${text.slice(11)}`;
}

/** A lie about what `abci_query` answers. */
export function response(change: (response: Json) => void | Promise<void>): Lie {
  return async (result) => {
    await change(result.response);
    return result;
  };
}

export function keyPair(seed: Uint8Array): { secret: KeyObject; publicKey: Uint8Array; address: string } {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = new Uint8Array(createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32));
  return { secret, publicKey, address: toHex(addressOfKey({ ed25519: publicKey })).toUpperCase() };
}

export const attacker = keyPair(new Uint8Array(32).fill(9));

/** A lie and how it is named when it is caught. */
export interface Case {
  readonly name: string;
  readonly lie: Lie;
  readonly kind: LightErrorKind;
  readonly fault?: LightFault;
  readonly about?: 'poor';
}

/** Another answer of the node itself, with its real proof. */
async function answerTo(ask: Ask, key: string, height: string): Promise<Json> {
  return (await ask('abci_query', { path: '/store/bank/key', data: key, height, prove: true })).response;
}

/** A key that is in the store too. */
const otherKey = supplyKey('umu');

/** Lies of `abci_query`, told to whoever asks for a balance. */
export const answers: readonly Case[] = [
  {
    name: 'the value',
    kind: 'invalid_proof',
    fault: 'proof_value',
    lie: response((r) => {
      r.value = toBase64(Buffer.from('2000000000000'));
    }),
  },
  {
    name: 'a value where there is none',
    about: 'poor',
    kind: 'invalid_proof',
    fault: 'proof_form',
    lie: response((r) => {
      r.value = toBase64(Buffer.from('1'));
    }),
  },
  {
    name: 'no value where there is one',
    kind: 'invalid_proof',
    fault: 'proof_form',
    lie: response((r) => {
      r.value = '';
    }),
  },
  {
    name: 'no proof',
    kind: 'invalid_proof',
    fault: 'proof_missing',
    lie: response((r) => {
      delete r.proofOps;
    }),
  },
  {
    name: 'half a proof',
    kind: 'invalid_proof',
    fault: 'proof_missing',
    lie: response((r) => {
      r.proofOps.ops.pop();
    }),
  },
  {
    name: 'a bit of the proof’s leaf',
    kind: 'invalid_proof',
    lie: response((r) => {
      r.proofOps.ops[0].data = flipBase64(r.proofOps.ops[0].data, 0.1);
    }),
  },
  {
    name: 'a bit of the proof’s path',
    kind: 'invalid_proof',
    lie: response((r) => {
      r.proofOps.ops[0].data = flipBase64(r.proofOps.ops[0].data, 0.9);
    }),
  },
  {
    name: 'a bit of the stores’ proof',
    kind: 'invalid_proof',
    lie: response((r) => {
      r.proofOps.ops[1].data = flipBase64(r.proofOps.ops[1].data, 0.9);
    }),
  },
  {
    name: 'the store’s name',
    kind: 'invalid_proof',
    fault: 'proof_key',
    lie: response((r) => {
      r.proofOps.ops[1].key = toBase64(Buffer.from('acc'));
    }),
  },
  {
    name: 'the key',
    kind: 'wrong_answer',
    fault: 'proof_key',
    lie: response((r) => {
      r.key = toBase64(otherKey);
    }),
  },
  {
    name: 'the height',
    kind: 'wrong_answer',
    fault: 'height',
    lie: response((r) => {
      r.height = (Number(r.height) - 1).toString();
    }),
  },
  {
    name: 'an old value with its real old proof',
    kind: 'invalid_proof',
    fault: 'proof_root',
    lie: (result, { data }, ask) =>
      answerTo(ask, data, '2').then((old) => ({ response: { ...old, height: result.response.height } })),
  },
  {
    name: 'the value of another key',
    about: 'poor',
    kind: 'invalid_proof',
    fault: 'proof_key',
    lie: (result, _params, ask) =>
      answerTo(ask, toHex(otherKey), result.response.height).then((other) => ({
        response: { ...other, key: result.response.key },
      })),
  },
  {
    name: 'that it does not know',
    kind: 'no_block',
    fault: 'code',
    lie: response((r) => {
      r.code = 18;
      r.log = 'no such store';
    }),
  },
];

/** A lie about the header or the commit that `commit` answers. */
export function signed(change: (header: Json, commit: Json) => void): Lie {
  return (result) => {
    change(result.signed_header.header, result.signed_header.commit);
    return result;
  };
}

const header = (field: string, fault: LightFault = 'header_hash'): Case => ({
  name: field,
  kind: 'bad_block',
  fault,
  lie: signed((h) => {
    h[field] = flipHex(h[field]);
  }),
});

/** Lies of `commit`. */
export const commits: readonly Case[] = [
  ...[
    'app_hash',
    'data_hash',
    'last_commit_hash',
    'validators_hash',
    'next_validators_hash',
    'consensus_hash',
    'last_results_hash',
    'evidence_hash',
    'proposer_address',
  ].map((field) => header(field)),
  {
    name: 'last block id',
    kind: 'bad_block',
    fault: 'header_hash',
    lie: signed((h) => {
      h.last_block_id.hash = flipHex(h.last_block_id.hash);
    }),
  },
  {
    name: 'time',
    kind: 'bad_block',
    fault: 'header_hash',
    lie: signed((h) => {
      h.time = h.time.replace(/\d(?=Z)/, (digit: string) => (digit === '1' ? '2' : '1'));
    }),
  },
  {
    name: 'chain id',
    kind: 'bad_block',
    fault: 'chain_id',
    lie: signed((h) => {
      h.chain_id = 'mu-other-1';
    }),
  },
  {
    name: 'block protocol',
    kind: 'bad_block',
    fault: 'version',
    lie: signed((h) => {
      h.version.block = '12';
    }),
  },
  {
    name: 'height of the commit',
    kind: 'bad_block',
    fault: 'commit_height',
    lie: signed((_, c) => {
      c.height = (Number(c.height) - 1).toString();
    }),
  },
  {
    name: 'block of the commit',
    kind: 'bad_block',
    fault: 'header_hash',
    lie: signed((_, c) => {
      c.block_id.hash = flipHex(c.block_id.hash);
    }),
  },
  {
    name: 'parts of the commit',
    kind: 'unverifiable',
    fault: 'signature',
    lie: signed((_, c) => {
      c.block_id.parts.total += 1;
    }),
  },
  {
    name: 'round of the commit',
    kind: 'unverifiable',
    fault: 'signature',
    lie: signed((_, c) => {
      c.round += 1;
    }),
  },
  {
    name: 'a signature',
    kind: 'unverifiable',
    fault: 'signature',
    lie: signed((_, c) => {
      c.signatures[0].signature = flipBase64(c.signatures[0].signature);
    }),
  },
  {
    name: 'time of a signature',
    kind: 'unverifiable',
    fault: 'signature',
    lie: signed((_, c) => {
      c.signatures[0].timestamp = '2020-01-01T00:00:00Z';
    }),
  },
  {
    name: 'address of a signature',
    kind: 'invalid_header',
    fault: 'validator_address',
    lie: signed((_, c) => {
      c.signatures[0].validator_address = flipHex(c.signatures[0].validator_address);
    }),
  },
  {
    name: 'a vote for nothing',
    kind: 'invalid_header',
    fault: 'voting_power',
    lie: signed((_, c) => {
      c.signatures[0].block_id_flag = 3;
    }),
  },
  {
    name: 'an absent validator with a signature',
    kind: 'bad_block',
    fault: 'commit',
    lie: signed((_, c) => {
      c.signatures[0].block_id_flag = 1;
    }),
  },
  {
    name: 'an unknown flag',
    kind: 'malformed',
    fault: 'answer',
    lie: signed((_, c) => {
      c.signatures[0].block_id_flag = 9;
    }),
  },
  {
    name: 'a signature more',
    kind: 'invalid_header',
    fault: 'commit_size',
    lie: signed((_, c) => {
      c.signatures.push(c.signatures[0]);
    }),
  },
  {
    name: 'no signatures',
    kind: 'bad_block',
    fault: 'commit',
    lie: signed((_, c) => {
      c.signatures = [];
    }),
  },
  {
    name: 'the commit of another block',
    kind: 'bad_block',
    fault: 'commit_height',
    lie: async (result, _params, ask) => {
      result.signed_header.commit = (await ask('commit', { height: '2' })).signed_header.commit;
      return result;
    },
  },
  { name: 'nonsense', kind: 'malformed', fault: 'answer', lie: () => ({ signed_header: 7, canonical: true }) },
];

/** A lie about what `validators` answers. */
const set =
  (change: (result: Json) => void): Lie =>
  (result) => {
    change(result);
    return result;
  };

/** Lies of `validators`. */
export const validators: readonly Case[] = [
  {
    name: 'a power',
    kind: 'bad_block',
    fault: 'validators_hash',
    lie: set((r) => {
      r.validators[0].voting_power = '11';
    }),
  },
  {
    name: 'a key',
    kind: 'bad_block',
    fault: 'validator_address',
    lie: set((r) => {
      r.validators[0].pub_key.value = toBase64(attacker.publicKey);
    }),
  },
  {
    name: 'a key and its address',
    kind: 'bad_block',
    fault: 'validators_hash',
    lie: set((r) => {
      r.validators[0].pub_key.value = toBase64(attacker.publicKey);
      r.validators[0].address = attacker.address;
    }),
  },
  {
    name: 'an address',
    kind: 'bad_block',
    fault: 'validator_address',
    lie: set((r) => {
      r.validators[0].address = attacker.address;
    }),
  },
  {
    name: 'a negative power',
    kind: 'bad_block',
    fault: 'voting_power',
    lie: set((r) => {
      r.validators[0].voting_power = '-5';
    }),
  },
  {
    name: 'too much power',
    kind: 'bad_block',
    fault: 'voting_power',
    lie: set((r) => {
      r.validators[0].voting_power = '1152921504606846976';
    }),
  },
  {
    name: 'a validator more',
    kind: 'bad_block',
    fault: 'validators_hash',
    lie: set((r) => {
      r.validators.push({ ...r.validators[0] });
      r.total = '2';
      r.count = '2';
    }),
  },
  {
    name: 'none',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.validators = [];
    }),
  },
  {
    name: 'more than it says',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.validators.push(r.validators[0]);
    }),
  },
  {
    name: 'a set without end',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.total = '1000000';
    }),
  },
  {
    name: 'those of another height',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.block_height = '1';
    }),
  },
  {
    name: 'a key of no known type',
    kind: 'malformed',
    fault: 'answer',
    lie: set((r) => {
      r.validators[0].pub_key.type = 'x';
    }),
  },
];

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

export const ownValidators = set((r) => {
  if (Number(r.block_height) <= 3) return;
  r.validators[0] = {
    address: attacker.address,
    pub_key: { type: 'tendermint/PubKeyEd25519', value: toBase64(attacker.publicKey) },
    voting_power: '10',
    proposer_priority: '0',
  };
});
