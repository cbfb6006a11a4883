/** Genesis of the Go chain to compare with: one validator, no inflation, and the accounts that a vector wants. */

import { createPrivateKey, createPublicKey } from 'node:crypto';
import { sha256 } from '@cosmjs/crypto';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { toBase64, utf8 } from '@mu/lib/bytes';
import { PubKey } from 'cosmjs-types/cosmos/crypto/ed25519/keys';
import { MsgCreateValidator } from 'cosmjs-types/cosmos/staking/v1beta1/tx';
import { type AnyJson, defaultGenesis } from './oracle.ts';
import { genesisTx, type Wallet } from './wallets.ts';

export interface PeerOptions {
  readonly chainId: string;
  readonly prefix: string;
  readonly maxGas: bigint;
  readonly genesisTime: string;
  /** who holds what, in the order of account numbers */
  readonly accounts: readonly { wallet: Wallet; coins: readonly { denom: string; amount: string }[] }[];
  /** signs the genesis transaction; one of the accounts */
  readonly validator: Wallet;
  readonly denomMetadata: readonly object[];
  readonly sendEnabled: readonly { denom: string; enabled: boolean }[];
}

/** A genesis document that depends on nothing but the options and the program's defaults. */
export async function peerGenesis(peerd: string, options: PeerOptions): Promise<AnyJson> {
  const genesis = defaultGenesis(peerd, options.chainId);
  genesis.genesis_time = options.genesisTime;
  genesis.consensus.params.block.max_gas = options.maxGas.toString();
  const state = genesis.app_state;
  state.auth.accounts = options.accounts.map(({ wallet }, at) => ({
    '@type': '/cosmos.auth.v1beta1.BaseAccount',
    address: wallet.address,
    pub_key: null,
    account_number: at.toString(),
    sequence: '0',
  }));
  state.bank.balances = options.accounts.map(({ wallet, coins }) => ({ address: wallet.address, coins }));
  state.bank.denom_metadata = options.denomMetadata;
  state.bank.send_enabled = options.sendEnabled;
  // Without new coins the supply changes by what the vector does alone.
  Object.assign(state.mint.minter, { inflation: zero });
  Object.assign(state.mint.params, { inflation_rate_change: zero, inflation_max: zero, inflation_min: zero });
  state.genutil.gen_txs = [await genesisTx(options.validator, options.chainId, createValidator(options))];
  return genesis;
}

const zero = '0.000000000000000000';

/** An Ed25519 key that is the same in every run. */
function consensusKey(): Uint8Array {
  const seed = sha256(utf8('mu vectors: consensus key'));
  const header = Buffer.from('302e020100300506032b657004220420', 'hex');
  const key = createPrivateKey({ key: Buffer.concat([header, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return Uint8Array.from(spki.subarray(-32));
}

function createValidator(options: PeerOptions): { any: { typeUrl: string; value: Uint8Array }; json: object } {
  const key = consensusKey();
  const validatorAddress = toBech32(`${options.prefix}valoper`, fromBech32(options.validator.address, options.prefix));
  const description = { moniker: 'vectors', identity: '', website: '', securityContact: '', details: '' };
  const value = { denom: 'stake', amount: '1000000' };
  const any = {
    typeUrl: MsgCreateValidator.typeUrl,
    value: MsgCreateValidator.encode(
      MsgCreateValidator.fromPartial({
        description,
        commission: { rate: '1'.padEnd(18, '0'), maxRate: '2'.padEnd(18, '0'), maxChangeRate: '1'.padEnd(17, '0') },
        minSelfDelegation: '1',
        validatorAddress,
        pubkey: {
          typeUrl: '/cosmos.crypto.ed25519.PubKey',
          value: PubKey.encode({ key }).finish(),
        },
        value,
      }),
    ).finish(),
  };
  const json = {
    '@type': MsgCreateValidator.typeUrl,
    description: { moniker: 'vectors', identity: '', website: '', security_contact: '', details: '' },
    commission: {
      rate: '0.100000000000000000',
      max_rate: '0.200000000000000000',
      max_change_rate: '0.010000000000000000',
    },
    min_self_delegation: '1',
    delegator_address: '',
    validator_address: validatorAddress,
    pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(key) },
    value,
  };
  return { any, json };
}
