/** Validators of a genesis, added from what their nodes say of themselves (`mud comet show-validator`). */
import { toHex } from '@mu/lib/bytes';
import { addressOfKey } from '@mu/lib/comet-validators';
import { publicKeyFromAmino, publicKeyToAmino } from '../engine/keys.ts';
import { type Genesis, GenesisError, type GenesisValidator } from './genesis.ts';

const protoKeyType = '/cosmos.crypto.ed25519.PubKey';

/** A consensus key in the JSON of the Cosmos SDK, as `comet show-validator` prints it. */
export function validatorKeyJson(publicKey: Uint8Array): { readonly '@type': string; readonly key: string } {
  return { '@type': protoKeyType, key: Buffer.from(publicKey).toString('base64') };
}

export interface NewValidator {
  /** JSON of the key: the SDK's `{"@type":…,"key":…}`, or `{"type":…,"value":…}` of genesis and key files */
  readonly pubKey: string;
  readonly power: string;
  readonly name: string;
}

/** @throws GenesisError for a key that is none or is there already, or a power that is none */
export function addValidator(genesis: Genesis, { pubKey, power, name }: NewValidator): Genesis {
  if (!/^[1-9]\d{0,18}$/.test(power)) throw new GenesisError(`power ${power}: it is a whole number above 0`);
  const key = parseKey(pubKey);
  const address = toHex(addressOfKey({ ed25519: Buffer.from(key.value, 'base64') })).toUpperCase();
  if (genesis.validators.some((one) => one.pub_key.value === key.value))
    throw new GenesisError(`the validator ${address} is in this genesis already`);
  return { ...genesis, validators: [...genesis.validators, { address, pub_key: key, power, name }] };
}

/** @param which address in hex, or name @throws GenesisError when there is none, or several of that name */
export function removeValidator(genesis: Genesis, which: string): Genesis {
  const found = genesis.validators.filter(({ address, name }) => address === which.toUpperCase() || name === which);
  if (found.length === 0) throw new GenesisError(`no validator of this genesis has the address or name ${which}`);
  if (found.length > 1) throw new GenesisError(`${found.length} validators have the name ${which}: give an address`);
  return { ...genesis, validators: genesis.validators.filter((one) => one !== found[0]) };
}

function parseKey(text: string): GenesisValidator['pub_key'] {
  try {
    const json = JSON.parse(text) as { readonly '@type'?: string; readonly key?: string };
    const isProto = json['@type'] !== undefined;
    if (isProto && json['@type'] !== protoKeyType) throw new Error(`keys of validators are ${protoKeyType}`);
    const amino = isProto ? { type: 'tendermint/PubKeyEd25519', value: json.key } : json;
    const key = publicKeyFromAmino(amino, 'the key');
    if (key.ed25519 === undefined) throw new Error(`keys of validators are ${protoKeyType}`);
    return publicKeyToAmino(key) as GenesisValidator['pub_key'];
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new GenesisError(`${text} is no public key: give what \`mud comet show-validator\` prints (${why})`);
  }
}
