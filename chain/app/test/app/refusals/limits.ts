/** What has a limit: so much is taken, one more is refused, and far more too. */
import { ManifestState, MsgSubmitLeaseConfirmations } from '@mu/proto/market';
import { defaultParams } from '@mu/x-deployment/params';
import { infrastructure } from '../market.ts';
import type { Wish } from '../mu-chain.ts';
import * as say from './messages.ts';
import type { Limit, ModuleName, Refusal } from './row.ts';
import type { Stage } from './stages.ts';

type Line = readonly [Refusal, string, most: number, Limit['make'], far?: readonly number[]];

const limits = (module: ModuleName, lines: readonly Line[]): readonly Limit[] =>
  lines.map(([refusal, what, most, make, far = []]) => ({ module, refusal, what, most, make, far }));

const text = (length: number): string => 'a'.repeat(length);
const attributes = (count: number) => say.many(count, (at) => ({ key: `k${at}`, value: 'v' }));
const metrics = ['function-invocations', 'storage-requests', 'tunnel-bytes', 'egress-bytes', 'gateway-bytes'];

const provider = limits('provider', [
  [
    9,
    'operators',
    16,
    (at, count) => say.providerUpdate(at, { operators: say.many(count, (one) => say.address(one)) }),
    [500],
  ],
  [
    5,
    'bytes of a host',
    256,
    (at, length) => say.providerUpdate(at, { hostUri: `https://${text(length - 13)}:8443` }),
    [100_000],
  ],
  [5, 'bytes of a gateway', 256, (at, length) => say.providerUpdate(at, { gatewayUri: `https://${text(length - 8)}` })],
  [
    12,
    'bytes of a key of an attribute',
    64,
    (at, length) => say.providerUpdate(at, { attributes: [{ key: text(length), value: 'v' }] }),
    [100_000],
  ],
  [
    12,
    'bytes of a value of an attribute',
    128,
    (at, length) => say.providerUpdate(at, { attributes: [{ key: 'k', value: text(length) }] }),
    [100_000],
  ],
  [12, 'attributes', 64, (at, count) => say.providerUpdate(at, { attributes: attributes(count) }), [5_000]],
  [12, 'attested attributes', 64, (at, count) => say.attestation(at, attributes(count))],
  [
    11,
    'roots',
    4,
    (at, count) =>
      say.providerUpdate(at, {
        roots: say.many(count, (one) => say.root({ certificate: say.certificate(1_000 + one) })),
      }),
    [100],
  ],
  [
    11,
    'bytes of a root',
    2_048,
    (at, length) => say.providerUpdate(at, { roots: [say.root({ certificate: say.certificate(length) })] }),
    [60_000],
  ],
  [
    10,
    'encryption keys',
    4,
    (at, count) => say.providerUpdate(at, { encryptionKeys: say.many(count, (one) => say.key(one + 1)) }, at.who.dear),
    [100],
  ],
  [17, 'bytes of an id of a node', 64, (at, length) => say.node(at, { nodeId: text(length) }), [100_000]],
  [
    13,
    'prices',
    3,
    (at, count) =>
      say.priceList(
        at,
        say.many(count, (one) => say.price({ metric: [...metrics].sort()[one % 5] as string })),
      ),
  ],
]);

const deploys = (
  at: Stage,
  asks: Parameters<typeof say.submission>[1],
  changes: Parameters<typeof say.submission>[2] = {},
) => say.submission(at, asks, { deposit: say.coin(10n ** 20n), ...changes }, at.more.rich);
const sealed = (at: Stage, length: number): Wish =>
  deploys(
    at,
    { provider: at.more.keeper.address },
    { sealedManifest: say.sealed(at, { ciphertext: new Uint8Array(length) }) },
  );
const point = (at: number): Uint8Array => new Uint8Array(33).fill(at, 1).fill(2, 0, 1);

const deployment = limits('deployment', [
  [6, 'bytes of a name', 64, (at, length) => deploys(at, {}, { name: text(length) }), [100_000]],
  [6, 'bytes of a name of an infrastructure', 64, (at, length) => deploys(at, { name: text(length) })],
  [
    7,
    'infrastructures',
    16,
    (at, count) => deploys(at, {}, { infrastructure: say.many(count, (one) => infrastructure({ name: `n${one}` })) }),
    [100],
  ],
  [
    12,
    'groups of resources',
    16,
    (at, count) => deploys(at, { resources: say.many(count, () => say.group()) }),
    [100, 1_000],
  ],
  [12, 'replicas', 1_000, (at, count) => deploys(at, { resources: [say.group({ count })] })],
  [
    11,
    'excluded providers',
    32,
    (at, count) => deploys(at, { excludedProviders: say.many(count, (one) => say.address(one)) }),
    [1_000],
  ],
  [9, 'services', 64, (at, count) => deploys(at, { services: say.many(count, (one) => `s${one}`) }), [1_000]],
  [9, 'bytes of a service', 64, (at, length) => deploys(at, { services: [text(length)] })],
  [10, 'attributes', 32, (at, count) => deploys(at, { attributes: attributes(count) })],
  [10, 'auditors', 32, (at, count) => deploys(at, { auditedBy: say.many(count, (one) => say.address(one)) })],
  [
    10,
    'bytes of a key of an attribute',
    64,
    (at, length) => deploys(at, { attributes: [{ key: text(length), value: 'v' }] }),
  ],
  [
    10,
    'bytes of a value of an attribute',
    128,
    (at, length) => deploys(at, { attributes: [{ key: 'k', value: text(length) }] }),
  ],
  [
    12,
    'bytes of a model of a gpu',
    64,
    (at, length) =>
      deploys(at, {
        resources: [
          say.group({ compute: { cpu: 1, memory: 1n, disk: 0n, gpu: { count: 1, vendor: '', model: text(length) } } }),
        ],
      }),
  ],
  [
    15,
    'usage limits',
    3,
    (at, count) =>
      deploys(at, { usageLimits: say.many(count, (one) => say.usageLimit({ metric: metrics[one] as string })) }),
  ],
  [
    16,
    'expected of what is limited to a hundred',
    100,
    (at, count) => deploys(at, { expectedUsage: [say.expected(BigInt(count))] }),
  ],
  [18, 'blocks of waiting', 10_000, (at, blocks) => deploys(at, {}, { waitBlocks: BigInt(blocks) })],
  [
    19,
    'access keys',
    16,
    (at, count) =>
      deploys(at, {}, { accessKeys: say.many(count, (one) => say.accessKey(2, { publicKey: point(one) })) }),
    [1_000],
  ],
  [20, 'bytes of a sealed manifest', defaultParams().maxSealedManifestBytes, sealed, [100_000]],
]);

const batch = (at: Stage, count: number): Wish => {
  const { cheap } = at.who;
  const one = { lease: 1n, endpoints: [], manifestState: ManifestState.MANIFEST_STATE_RECEIVED, manifestRevision: 1n };
  const message = { sender: cheap.address, confirmations: say.many(count, () => one) };
  return say.send(cheap, MsgSubmitLeaseConfirmations, MsgSubmitLeaseConfirmations.fromPartial(message));
};

const confirm = (at: Stage, endpoints: string[]): Wish => say.confirmation(at.who.cheap, { lease: 1n, endpoints });

const market = limits('market', [
  [
    27,
    'endpoints',
    4,
    (at, count) =>
      confirm(
        at,
        say.many(count, (one) => `https://${one}.example`),
      ),
    [1_000],
  ],
  [27, 'bytes of an endpoint', 128, (at, length) => confirm(at, [`https://${text(length - 8)}`]), [100_000]],
  [29, 'confirmations', 3, batch],
]);

const billing = limits('billing', [
  [18, 'bytes of an id of a node', 64, (at, length) => say.usage(at, 1n, { nodeId: text(length) }), [100_000]],
  [
    19,
    'items',
    128,
    (at, count) =>
      say.usage(at, 1n, {
        items: say.many(count, (one) => say.item({ service: `s${1_000 + one}`, metric: 'tunnel-bytes' })),
      }),
    [1_000],
  ],
]);

export const allLimits: readonly Limit[] = [...provider, ...deployment, ...market, ...billing];

/** What is taken though it looks odd: one account in capitals, heights that are to come, and the greatest of things. */
export const taken: readonly (readonly [string, (at: Stage) => Wish])[] = [
  [
    'a provider whose addresses are in capitals',
    (at) =>
      say.providerUpdate(at, {
        owner: at.who.cheap.address.toUpperCase(),
        operators: [say.address(1).toUpperCase()],
        payoutAddress: say.address(2).toUpperCase(),
      }),
  ],
  [
    'a root that is to come beside one that holds',
    (at) =>
      say.providerUpdate(at, {
        roots: [
          say.root(),
          say.root({ certificate: say.certificate(300), validFromHeight: 1_000_000n, validToHeight: say.maxInt64 }),
        ],
      }),
  ],
  [
    'an encryption key up to the greatest height',
    (at) => say.providerUpdate(at, { encryptionKeys: [say.key(9, { validToHeight: say.maxInt64 })] }),
  ],
  [
    'a node that is to come',
    (at) => say.node(at, { nodeId: 'to-come', validFromHeight: 1_000_000n, validToHeight: say.maxInt64 }),
  ],
  ['a price of 10³⁶ umu', (at) => say.priceList(at, [say.price({ price: say.maxDec, per: 2n ** 64n - 1n })])],
  ['a price of 10⁻¹⁸ umu', (at) => say.priceList(at, [say.price({ price: '1', per: 1n })])],
  ['a price of nothing', (at) => say.priceList(at, [say.price({ price: '0' })])],
  ['a deployment of an owner in capitals', (at) => deploys(at, {}, { owner: at.more.rich.address.toUpperCase() })],
  ['a provider chosen in capitals, before it is one', (at) => deploys(at, { provider: say.address(3).toUpperCase() })],
  [
    'an access key up to the greatest height',
    (at) => deploys(at, {}, { accessKeys: [say.accessKey(3, { expiresHeight: say.maxInt64 })] }),
  ],
  ['a name of all that can be printed', (at) => deploys(at, {}, { name: ' <a href="x">&amp;</a>{}~' })],
  ['the greatest collateral', (at) => deploys(at, { resources: [say.group({ collateral: '1000000000000' })] })],
  ['the least price', (at) => deploys(at, { resources: [say.group({ price: '1' })] })],
  [
    'a deposit to an owner in capitals',
    (at) => say.payment(at, 1n, { owner: at.who.user.address.toUpperCase() }, at.who.stranger),
  ],
  [
    'a bid of the least price',
    (at) => {
      const order = { ...say.orderOf(at, 1n), owner: at.more.rich.address };
      return say.bid(at, 1n, { order, resources: [say.group({ price: '1' })] }, at.who.dear);
    },
  ],
];
