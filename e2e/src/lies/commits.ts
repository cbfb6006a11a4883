/** Lies of `commit`. */
import type { LightFault } from '@mu/client/light/errors';
import { type Case, flipBase64, flipHex, signed } from './case.ts';

const header = (field: string, fault: LightFault = 'header_hash'): Case => ({
  name: field,
  kind: 'bad_block',
  fault,
  lie: signed((h) => {
    h[field] = flipHex(h[field]);
  }),
});

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
