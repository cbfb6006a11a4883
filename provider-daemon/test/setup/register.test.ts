import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type MsgUpdateProvider, ProviderState, RemovalReason } from '@mu/proto/provider';
import type { ProviderConfig } from '../../src/config/schema.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { missingMessages, shownMessages } from '../../src/setup/register.ts';
import { configIn, identityIn, operator, owner, testFolder } from '../operators/fixture.ts';
import { FakeChain } from './fake-chain.ts';

let own: ReturnType<typeof testFolder>;
let identity: Identity;
let chain: FakeChain;

beforeEach(async () => {
  own = testFolder();
  identity = await identityIn(own.folder);
  chain = new FakeChain();
});
afterEach(() => own.remove());

const prices = (text: string): string => `[usage]\nprices = ${text}\n`;
const onePrice = prices('{ gateway-bytes = { price = "2", per = 1024 } }');

/** What is sent, by name; sends it. */
async function register(config: ProviderConfig, of: { operator?: string; identity?: Identity } = {}) {
  const messages = await missingMessages({ client: chain.client, config, identity, owner, operator, ...of });
  await chain.sender(owner).sendAndWait(messages);
  return messages.map(({ typeUrl }) => typeUrl.slice(typeUrl.lastIndexOf('.') + 1));
}

test('the first time all is entered, the second time nothing is sent', async () => {
  const config = configIn(own.folder, onePrice);
  expect(await register(config)).toEqual(['MsgRegisterProvider', 'MsgAddNode']);
  expect(chain.record).toMatchObject({
    operators: [operator],
    payoutAddress: owner,
    regions: ['eu'],
    priceListVersion: 1n,
  });
  expect(await register(config)).toEqual([]);
});

test.each<[string, string, Partial<MsgUpdateProvider>]>([
  ['host_uri', '[host]\nuri = "https://p.example:8443"', { hostUri: 'https://p.example:8443' }],
  ['gateway_uri', '[gateway]\nuri = "https://p.example"', { gatewayUri: 'https://p.example' }],
  ['payout address', '[keys]\npayout = "mu1elsewhere"', { payoutAddress: 'mu1elsewhere' }],
])('a changed %s is brought up to date, once', async (_what, more, expected) => {
  await register(configIn(own.folder));
  const changed = configIn(own.folder, more);
  expect(await register(changed)).toEqual(['MsgUpdateProvider']);
  expect(chain.record).toMatchObject(expected);
  expect(await register(changed)).toEqual([]);
  expect(await register(configIn(own.folder))).toEqual(['MsgUpdateProvider']);
});

test('regions, services and attributes follow the config; their order says nothing', async () => {
  const config = configIn(own.folder);
  await register(config);
  const offer = (of: Partial<ProviderConfig['offer']>): ProviderConfig => ({
    ...config,
    offer: { ...config.offer, ...of },
  });
  const wider = offer({ regions: ['eu', 'us'], attributes: [{ key: 'tier', value: '1' }] });
  expect(await register(wider)).toEqual(['MsgUpdateProvider']);
  expect(chain.record).toMatchObject({ regions: ['eu', 'us'], attributes: [{ key: 'tier', value: '1' }] });
  expect(await register({ ...wider, offer: { ...wider.offer, regions: ['us', 'eu'] } })).toEqual([]);
  expect(await register({ ...wider, offer: { ...wider.offer, services: ['mu-db'] } })).toEqual(['MsgUpdateProvider']);
});

test('another operator takes the place of the old one', async () => {
  const config = configIn(own.folder);
  await register(config);
  expect(await register(config, { operator: 'mu1other' })).toEqual(['MsgUpdateProvider']);
  expect(chain.record?.operators).toEqual(['mu1other']);
  expect(await register(config, { operator: owner })).toEqual(['MsgUpdateProvider']);
  expect(chain.record?.operators).toEqual([]);
});

test('a lost root, encryption key or authority is entered beside what stands there', async () => {
  const config = configIn(own.folder);
  await register(config);
  const { roots, encryptionKeys } = chain.record!;
  const stranger = { certificate: new Uint8Array([0x30, 0]), validFromHeight: 0n, validToHeight: 0n };
  const key = { keyId: 4, publicKey: new Uint8Array(32), validFromHeight: 0n, validToHeight: 0n };
  chain.record = { ...chain.record!, roots: [stranger], encryptionKeys: [key], nodeAuthorityKey: new Uint8Array(32) };
  expect(await register(config)).toEqual(['MsgUpdateProvider']);
  expect(chain.record.roots).toEqual([stranger, roots[0]]);
  expect(chain.record.encryptionKeys).toEqual([key, { ...encryptionKeys[0]!, keyId: 5 }]);
  expect(chain.record.nodeAuthorityKey).toEqual(identity.authorityPublicKey);
  expect(await register(config)).toEqual([]);
});

test('prices that differ are a new version; what is no longer asked for costs nothing', async () => {
  await register(configIn(own.folder));
  expect(chain.lists).toEqual([]);
  expect(await register(configIn(own.folder, onePrice))).toEqual(['MsgPublishPriceList']);
  const dearer = configIn(own.folder, prices('{ gateway-bytes = { price = "3", per = 1024 } }'));
  expect(await register(dearer)).toEqual(['MsgPublishPriceList']);
  expect(chain.record?.priceListVersion).toBe(2n);
  expect(await register(configIn(own.folder))).toEqual(['MsgPublishPriceList']);
  expect(chain.lists.at(-1)).toEqual([{ metric: 'gateway-bytes', price: '0', per: 1n }]);
  expect(await register(configIn(own.folder))).toEqual([]);
});

test('who is gone registers anew, with the keys that were; who is leaving is told to wait', async () => {
  const config = configIn(own.folder, onePrice);
  await register(config);
  chain.record = { ...chain.record!, state: ProviderState.PROVIDER_STATE_LEAVING, unbondingHeight: 900n };
  await expect(register(config)).rejects.toThrow(/height 900/);
  chain.record = { ...chain.record, state: ProviderState.PROVIDER_STATE_GONE, unbondingHeight: 0n };
  // The node stands until it is removed.
  expect(await register(config)).toEqual(['MsgRegisterProvider']);
  expect(chain.record.priceListVersion).toBe(2n);
  expect(chain.record.encryptionKeys).toHaveLength(1);
  expect(await register(config)).toEqual([]);
});

test('a node is entered where it is missing; an id that was used up is not tried again', async () => {
  const config = configIn(own.folder);
  await register(config);
  const [node] = chain.nodes;
  chain.nodes = [];
  expect(await register(config)).toEqual(['MsgAddNode']);
  chain.nodes = [{ ...node!, publicKey: new Uint8Array(32) }];
  await expect(register(config)).rejects.toThrow(/another key.*rotate node/);
  chain.nodes = [{ ...node!, removedHeight: 7n, removalReason: RemovalReason.REMOVAL_REASON_RETIRED }];
  await expect(register(config)).rejects.toThrow(/removed at height 7.*rotate node/);
});

test('messages are shown as JSON, with bytes in base64', async () => {
  const messages = await missingMessages({
    client: chain.client,
    config: configIn(own.folder),
    identity,
    owner,
    operator,
  });
  const text = JSON.stringify(shownMessages(messages));
  const [first] = JSON.parse(text) as { '@type': string; roots: { certificate: string; validToHeight: string }[] }[];
  expect(first?.['@type']).toBe('/mu.provider.v1.MsgRegisterProvider');
  expect(Buffer.from(first!.roots[0]!.certificate, 'base64')).toEqual(Buffer.from(identity.rootCertificate));
  expect(first?.roots[0]?.validToHeight).toBe('0');
});
