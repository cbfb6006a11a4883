/** The walks over the descriptors of the chain itself, against what CosmJS's own types encode. */

import type { DescMessage } from '@bufbuild/protobuf';
import { registry } from '@mu/proto/registry';
import { MsgExec } from 'cosmjs-types/cosmos/authz/v1beta1/tx';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import { AuthInfo, Fee, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { concatBytes, fromHex, toHex } from '../src/bytes.ts';
import { jsonToMessage, messageToJson } from '../src/proto-json.ts';
import { checkWire, isCanonicalTxRaw } from '../src/wire.ts';

function descOf(typeName: string): DescMessage {
  const desc = registry.getMessage(typeName);
  if (!desc) throw new Error(`no message ${typeName}`);
  return desc;
}

const send = MsgSend.fromPartial({
  fromAddress: 'mu1from',
  toAddress: 'mu1to',
  amount: [{ denom: 'umu', amount: '10' }],
});
const sendAny = { typeUrl: MsgSend.typeUrl, value: MsgSend.encode(send).finish() };
const body = TxBody.encode(TxBody.fromPartial({ messages: [sendAny], memo: 'hello', timeoutHeight: 7n })).finish();
const authInfo = AuthInfo.encode(
  AuthInfo.fromPartial({
    signerInfos: [
      {
        publicKey: { typeUrl: PubKey.typeUrl, value: PubKey.encode({ key: new Uint8Array(33).fill(2) }).finish() },
        modeInfo: { single: { mode: SignMode.SIGN_MODE_DIRECT } },
        sequence: 3n,
      },
    ],
    fee: Fee.fromPartial({ amount: [{ denom: 'umu', amount: '5' }], gasLimit: 200_000n }),
  }),
).finish();

describe('a transaction of CosmJS', () => {
  test('passes the walk and ADR-027', () => {
    const raw = TxRaw.encode({ bodyBytes: body, authInfoBytes: authInfo, signatures: [new Uint8Array(64)] }).finish();
    expect(isCanonicalTxRaw(raw)).toBe(true);
    expect(checkWire(registry, descOf('cosmos.tx.v1beta1.TxRaw'), raw)).toEqual({ hasNonCritical: false });
    expect(checkWire(registry, descOf('cosmos.tx.v1beta1.TxBody'), body)).toEqual({ hasNonCritical: false });
    expect(checkWire(registry, descOf('cosmos.tx.v1beta1.AuthInfo'), authInfo)).toEqual({ hasNonCritical: false });
  });

  test('a type of message that the chain does not have is named', () => {
    const foreign = TxBody.encode(
      TxBody.fromPartial({
        messages: [{ typeUrl: '/other.v1.Msg', value: MsgExec.encode(MsgExec.fromPartial({})).finish() }],
      }),
    ).finish();
    expect(() => checkWire(registry, descOf('cosmos.tx.v1beta1.TxBody'), foreign)).toThrow(
      'TxBody.messages[0]: unable to resolve type URL /other.v1.Msg',
    );
  });

  test('an unknown field in the message is found within its Any', () => {
    const value = concatBytes(sendAny.value, fromHex('2001'));
    const bad = TxBody.encode(TxBody.fromPartial({ messages: [{ ...sendAny, value }] })).finish();
    expect(() => checkWire(registry, descOf('cosmos.tx.v1beta1.TxBody'), bad, { allowNonCritical: true })).toThrow(
      'TxBody.messages[0].value: errUnknownField "cosmos.bank.v1beta1.MsgSend": {TagNum: 4, WireType:"varint"}',
    );
  });

  test("is shown as the SDK's REST shows it, and read back to the same bytes", () => {
    const json = messageToJson(registry, 'cosmos.tx.v1beta1.TxBody', body);
    expect(json).toMatchObject({
      messages: [
        {
          '@type': '/cosmos.bank.v1beta1.MsgSend',
          from_address: 'mu1from',
          to_address: 'mu1to',
          amount: [{ denom: 'umu', amount: '10' }],
        },
      ],
      memo: 'hello',
      timeout_height: '7',
      extension_options: [],
      non_critical_extension_options: [],
    });
    expect(toHex(jsonToMessage(registry, 'cosmos.tx.v1beta1.TxBody', json))).toBe(toHex(body));
    const shown = messageToJson(registry, 'cosmos.tx.v1beta1.AuthInfo', authInfo);
    expect(shown).toMatchObject({
      signer_infos: [
        {
          public_key: {
            '@type': '/cosmos.crypto.secp256k1.PubKey',
            key: 'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC',
          },
          mode_info: { single: { mode: 'SIGN_MODE_DIRECT' } },
          sequence: '3',
        },
      ],
      fee: { amount: [{ denom: 'umu', amount: '5' }], gas_limit: '200000', payer: '', granter: '' },
    });
    expect(toHex(jsonToMessage(registry, 'cosmos.tx.v1beta1.AuthInfo', shown))).toBe(toHex(authInfo));
  });
});

describe("Mu's own messages", () => {
  test('decimals by the option in the .proto file', () => {
    const typeName = 'mu.provider.v1.MetricPrice';
    const bytes = jsonToMessage(registry, typeName, { price: '1.5' });
    expect(messageToJson(registry, typeName, bytes)).toMatchObject({ price: '1.500000000000000000' });
    expect(Buffer.from(bytes).toString('latin1')).toContain('1500000000000000000');
  });

  test('no message that can be in a transaction has a map field, which the walk would refuse', () => {
    const withMaps = [...registry].filter(
      (type) =>
        type.kind === 'message' &&
        /^(mu|cosmos)\./.test(type.typeName) &&
        type.fields.some((field) => field.fieldKind === 'map'),
    );
    expect(withMaps.map((type) => type.toString())).toEqual([]);
  });
});
