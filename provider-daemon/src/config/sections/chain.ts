/** The chain that is served, by what it is checked, and the accounts that sign. */
import { Dec } from '@mu/lib/dec';
import * as kind from '../kinds.ts';
import { required, type Section, setting } from '../setting.ts';

const name = kind.textLike('lower-case letters, digits, "-" and "_", at most 64', /^[a-z0-9][a-z0-9_-]{0,63}$/);
const trustedHash = kind.textLike('64 hex digits, or empty', /^([0-9a-fA-F]{64})?$/);

export const chain = {
  doc: 'The chain that the provider serves.',
  settings: {
    rpcUrl: setting(kind.httpUrl, 'http://127.0.0.1:26657', 'RPC of a node that you trust, best your own.'),
    id: required(kind.textLike('1 to 50 printable characters', /^[\x21-\x7e]{1,50}$/), 'Id of the chain.'),
    gasPrice: setting(
      kind.decimal,
      Dec.fromString('0.0025'),
      'What is paid for a unit of gas, in the denomination below.',
    ),
    prefix: setting(
      kind.textLike('lower-case letters and digits', /^[a-z][a-z0-9]{0,82}$/),
      'mu',
      'Prefix of addresses.',
    ),
    denom: setting(kind.denom, 'umu', 'Base denomination.'),
    pollMs: setting(kind.whole(10, 60_000), 250, 'How often the node is asked for a new block, in milliseconds.'),
  },
} satisfies Section;

export const trust = {
  doc: 'By what the node is checked: leases, deployments and providers are proved before anything is given out.',
  settings: {
    node: setting(kind.yesNo, false, 'Believe the node without proofs; for your own node on a network of your own.'),
    genesisHash: setting(trustedHash, '', 'Hash of the genesis; `mucli trust` shows it.'),
    height: setting(kind.count(0n), 0n, 'Height of a trusted block, newer than the genesis; 0: none.'),
    hash: setting(trustedHash, '', 'Hash of the block at that height.'),
    periodHours: setting(
      kind.whole(1, 100_000),
      336,
      'For so long a verified block vouches for later ones; well below the time for which stake is bound.',
    ),
    witnesses: setting(kind.listOf(kind.httpUrl), [], 'RPCs of further nodes that must show the same blocks.'),
    maxViewAgeS: setting(
      kind.whole(1, 86_400),
      600,
      'Oldest view of the chain on which anything is given out, in seconds.',
    ),
  },
} satisfies Section;

export const keys = {
  doc: 'Accounts. The owner registers and publishes prices; the operator bids, confirms and reports, and nothing else.',
  settings: {
    folder: setting(kind.path, 'keys', 'Folder of the encrypted keys.'),
    passwordFile: setting(
      kind.path,
      'keys/password',
      'File with the password of the keys; only its owner may read it.',
    ),
    owner: setting(name, 'owner', 'Name of the owner’s key.'),
    operator: setting(name, 'operator', 'Name of the operator’s key; it may be the owner’s.'),
    payout: setting(
      kind.textLike('an address like mu1…, or empty', /^([a-z][a-z0-9]{1,100})?$/),
      '',
      'Address that receives what is earned; empty: the owner’s.',
    ),
  },
} satisfies Section;
