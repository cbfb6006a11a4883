/** What x/deployment refuses. */
import {
  type AccessKey,
  type DeploymentInfrastructure,
  MsgSubmitDeployment,
  MsgUpdateDeployment,
  MsgUpdateParams,
  type Params,
} from '@mu/proto/deployment';
import { defaultParams } from '@mu/x-deployment/params';
import { infrastructure, umu } from '../market.ts';
import type { Wish } from '../mu-chain.ts';
import * as say from './messages.ts';
import { notUtf8Lines, oddLines, oddNameLines } from './odd-texts.ts';
import { type Line, type Make, type Row, rows } from './row.ts';
import type { Stage } from './stages.ts';

function params(at: Stage, changes: Partial<Params> = {}, from = at.more.authority): Wish {
  const message = { authority: from.address, params: { ...defaultParams(), ...changes } };
  return say.send(from, MsgUpdateParams, MsgUpdateParams.fromPartial(message));
}

const asking =
  (changes: Partial<DeploymentInfrastructure>): Make =>
  (at) =>
    say.submission(at, changes);
const grouped = (changes: Parameters<typeof say.group>[0]): Make => asking({ resources: [say.group(changes)] });
const computed = (changes: object): Make =>
  grouped({ compute: { cpu: 100, memory: 1n, disk: 0n, ...changes } as never });
const limited = (changes: object): Make => asking({ usageLimits: [say.usageLimit(changes)], expectedUsage: [] });
const keyed =
  (...accessKeys: AccessKey[]): Make =>
  (at) =>
    say.submission(at, {}, { accessKeys });

const header: readonly Line[] = [
  ['sdk 8', 'a deployment in the name of another', (at) => say.submission(at, {}, { owner: at.who.stranger.address })],
  ['sdk 2', 'an owner of another chain', (at) => say.submission(at, {}, { owner: say.cosmos })],
  [
    'sdk 2',
    'an owner in capitals and small letters',
    (at) => say.submission(at, {}, { owner: say.mixed(at.who.user.address) }),
  ],
  [4, 'dseq 0', (at) => say.submission(at, {}, { dseq: 0n })],
  [7, 'no infrastructure', (at) => say.submission(at, {}, { infrastructure: [] })],
  [
    7,
    'a name of an infrastructure twice',
    (at) => say.submission(at, {}, { infrastructure: [infrastructure(), infrastructure()] }),
  ],
  [17, 'a version of 31 bytes', (at) => say.submission(at, {}, { version: new Uint8Array(31) })],
  [17, 'no version', (at) => say.submission(at, {}, { version: new Uint8Array() })],
  [18, 'a wait of less than no blocks', (at) => say.submission(at, {}, { waitBlocks: -1n })],
  [18, 'the least wait that a message can say', (at) => say.submission(at, {}, { waitBlocks: say.minInt64 })],
  [18, 'the greatest wait that a message can say', (at) => say.submission(at, {}, { waitBlocks: say.maxInt64 })],
  [21, 'no deposit', (at) => say.submission(at, {}, { deposit: undefined as never })],
  [21, 'a deposit in another coin', (at) => say.submission(at, {}, { deposit: { denom: 'uatom', amount: '50000' } })],
  [
    21,
    'a deposit in the same coin, in capitals',
    (at) => say.submission(at, {}, { deposit: { denom: 'UMU', amount: '50000' } }),
  ],
  [21, 'an empty deposit', (at) => say.submission(at, {}, { deposit: say.coin('') })],
  [21, 'a deposit below 0', (at) => say.submission(at, {}, { deposit: say.coin('-50000') })],
  ['sdk 2', 'a deposit with a leading zero', (at) => say.submission(at, {}, { deposit: say.coin('050000') })],
  ['sdk 2', 'a deposit with a point', (at) => say.submission(at, {}, { deposit: say.coin('50000.0') })],
  ['sdk 2', 'a deposit of 2²⁵⁶', (at) => say.submission(at, {}, { deposit: say.coin(2n ** 256n) })],
  ['sdk 5', 'a deposit of 2²⁵⁶ − 1', (at) => say.submission(at, {}, { deposit: say.coin(say.maxAmount) })],
  [
    'sdk 5',
    'a deposit that the owner does not have',
    (at) => say.submission(at, {}, { deposit: say.coin(20_000_000n) }, at.more.poor),
  ],
  ['billing 10', 'a deposit below the reserve', (at) => say.submission(at, {}, { deposit: say.coin(20_000n) })],
  [
    'billing 9',
    'a deposit below the least one',
    (at) =>
      say.submission(
        at,
        { usageLimits: [], expectedUsage: [], resources: [say.group({ price: '1' })] },
        { deposit: say.coin(999n) },
      ),
  ],
  ['market 36', 'a collateral above the bound', grouped({ collateral: '1000000000001' })],
];

const providers: readonly Line[] = [
  ['sdk 7', 'a provider of another chain', asking({ provider: say.cosmos })],
  [
    'sdk 7',
    'a provider in capitals and small letters',
    (at) => say.submission(at, { provider: say.mixed(at.who.cheap.address) }),
  ],
  [
    'sdk 7',
    'a provider with a mistyped letter',
    (at) => say.submission(at, { provider: say.mistyped(at.who.cheap.address) }),
  ],
  ['sdk 7', 'an excluded provider of another chain', asking({ excludedProviders: [say.cosmos] })],
  ['sdk 7', 'an excluded provider without an address', asking({ excludedProviders: [''] })],
  ['sdk 7', 'an auditor of another chain', asking({ auditedBy: [say.cosmos] })],
  ['sdk 7', 'an auditor without an address', asking({ auditedBy: [''] })],
  [11, 'an excluded provider twice', asking({ excludedProviders: [say.address(1), say.address(1)] })],
  [
    11,
    'an excluded provider twice, once in capitals',
    asking({ excludedProviders: [say.address(1), say.address(1).toUpperCase()] }),
  ],
  [11, 'the only provider excluded', asking({ provider: say.address(1), excludedProviders: [say.address(1)] })],
  [
    11,
    'the only provider excluded in capitals',
    asking({ provider: say.address(1), excludedProviders: [say.address(1).toUpperCase()] }),
  ],
  [10, 'an auditor twice', asking({ auditedBy: [say.address(1), say.address(1).toUpperCase()] })],
  [
    10,
    'a key of attributes twice',
    asking({
      attributes: [
        { key: 'a', value: '1' },
        { key: 'a', value: '2' },
      ],
    }),
  ],
  [9, 'a service twice', asking({ services: ['mu-db', 'mu-db'] })],
];

const resources: readonly Line[] = [
  [12, 'no group of resources', asking({ resources: [] })],
  [12, 'no replica', grouped({ count: 0 })],
  [12, 'the most replicas that a message can say', grouped({ count: 2 ** 32 - 1 })],
  [12, 'no compute', grouped({ compute: undefined as never })],
  [12, 'no cpu', computed({ cpu: 0 })],
  [12, 'more cpu than there is', computed({ cpu: 1_000_000_001 })],
  [12, 'no memory', computed({ memory: 0n })],
  [12, 'more memory than 2⁶⁰ bytes', computed({ memory: 2n ** 60n + 1n })],
  [12, 'more disk than 2⁶⁰ bytes', computed({ disk: 2n ** 64n - 1n })],
  [12, 'no gpu of a kind', computed({ gpu: { count: 0, vendor: '', model: '' } })],
  [12, 'more than a thousand gpus', computed({ gpu: { count: 1_001, vendor: '', model: '' } })],
  [13, 'a price of 0', grouped({ price: '0' })],
  [13, 'a price below 0', grouped({ price: '-1' })],
  [13, 'no price', grouped({ price: '' })],
  [13, 'a price with a leading zero', grouped({ price: '0100' })],
  [13, 'a price with a point', grouped({ price: '10.5' })],
  [13, 'a price of 19 decimals', grouped({ price: '0.1234567890123456789' })],
  [13, 'a price above 10³⁶', grouped({ price: `${BigInt(say.maxDec) + 1n}` })],
  [13, 'a price of 2²⁵⁶', grouped({ price: `${2n ** 256n}` })],
  [14, 'no collateral', grouped({ collateral: '' })],
  [14, 'a collateral below 0', grouped({ collateral: '-1' })],
  ['sdk 2', 'a collateral with a leading zero', grouped({ collateral: '0500' })],
  ['sdk 2', 'a collateral of 2²⁵⁶', grouped({ collateral: `${2n ** 256n}` })],
  ['sdk 2', 'a collateral with a sign', grouped({ collateral: '+500' })],
  [15, 'a limit of an unknown metric', limited({ metric: 'calls' })],
  [15, 'two limits of a metric', asking({ usageLimits: [say.usageLimit(), say.usageLimit()] })],
  [15, 'a limit for 0 units', limited({ maxPricePer: 0n })],
  [15, 'a limit of no units', limited({ maxQuantityPerBlock: 0n })],
  [13, 'a price of usage below 0', limited({ maxPrice: '-1' })],
  [13, 'no price of usage', limited({ maxPrice: '' })],
  [13, 'a price of usage above 10³⁶', limited({ maxPrice: `${BigInt(say.maxDec) + 1n}` })],
  [16, 'usage without a limit', asking({ usageLimits: [] })],
  [16, 'a metric expected twice', asking({ expectedUsage: [say.expected(1n), say.expected(1n)] })],
  [16, 'more expected than allowed', asking({ expectedUsage: [say.expected(101n)] })],
];

const accessKeys: readonly Line[] = [
  [19, 'an access key of 32 bytes', keyed(say.accessKey(2, { publicKey: new Uint8Array(32).fill(2) }))],
  [19, 'an access key that is not compressed', keyed(say.accessKey(4))],
  [19, 'an access key twice', keyed(say.accessKey(2), say.accessKey(2))],
  [19, 'an access key without a scope', keyed(say.accessKey(2, { scopes: [] }))],
  [19, 'a scope twice', keyed(say.accessKey(2, { scopes: ['read', 'read'] }))],
  [19, 'a scope that there is not', keyed(say.accessKey(2, { scopes: ['write'] }))],
  [19, 'an access key that ends below height 0', keyed(say.accessKey(2, { expiresHeight: -1n }))],
  [19, 'an access key that ends at the least height', keyed(say.accessKey(2, { expiresHeight: say.minInt64 }))],
];

/** A manifest sealed to the provider with keys, which the deployment chooses. */
const sealedTo =
  (changes: Parameters<typeof say.sealed>[1]): Make =>
  (at) =>
    say.submission(at, { provider: at.more.keeper.address }, { sealedManifest: say.sealed(at, changes) });

const seals: readonly Line[] = [
  [20, 'a manifest sealed to who is no provider', sealedTo({ provider: say.address(1) })],
  ['sdk 7', 'a manifest sealed to an account of another chain', sealedTo({ provider: say.cosmos })],
  ['sdk 7', 'a manifest sealed to nobody', sealedTo({ provider: '' })],
  [20, 'a manifest sealed to who is not chosen', (at) => say.submission(at, {}, { sealedManifest: say.sealed(at) })],
  [20, 'a manifest sealed to an unknown key', sealedTo({ keyId: 9 })],
  [20, 'a manifest sealed to a key that is over', sealedTo({ keyId: 2 })],
  [20, 'a manifest sealed to a key that is to come', sealedTo({ keyId: 3 })],
  [20, 'an encapsulated key of 31 bytes', sealedTo({ encapsulatedKey: new Uint8Array(31) })],
  [20, 'a ciphertext of 16 bytes', sealedTo({ ciphertext: new Uint8Array(16) })],
];

/** A deployment as an update of the first one that states the same. */
function asUpdate({ from, messages }: Wish): Wish {
  const [submitted] = messages;
  const { owner, infrastructure, accessKeys, sealedManifest } = MsgSubmitDeployment.decode(
    submitted?.value ?? new Uint8Array(),
  );
  const message = { owner, dseq: 1n, infrastructure, accessKeys, ...(sealedManifest && { sealedManifest }) };
  return say.send(from, MsgUpdateDeployment, MsgUpdateDeployment.fromPartial(message));
}

const stated = [...providers, ...resources, ...accessKeys, ...seals].map(
  ([refusal, what, make]): Line => [refusal, `an update: ${what}`, (at) => asUpdate(make(at))],
);

const odd: readonly Line[] = [
  ...oddLines(6, 'a name', 'deployment', (at, name) => say.submission(at, {}, { name })),
  ...oddNameLines(6, 'a name of an infrastructure', 'main', (at, name) => say.submission(at, { name })),
  ...oddNameLines(8, 'a region', 'eu', (at, region) => say.submission(at, { region })),
  ...oddNameLines(9, 'a service', 'mu-db', (at, text) => say.submission(at, { services: [text] })),
  ...oddNameLines(10, 'a key of an attribute', 'tier', (at, key) =>
    say.submission(at, { attributes: [{ key, value: 'gold' }] }),
  ),
  ...oddLines(10, 'a value of an attribute', 'gold', (at, value) =>
    say.submission(at, { attributes: [{ key: 'tier', value }] }),
  ),
  ...oddNameLines(15, 'a metric', say.invocations, (at, metric) =>
    say.submission(at, { usageLimits: [say.usageLimit({ metric })], expectedUsage: [] }),
  ),
  ...oddNameLines(19, 'a scope', 'read', (at, scope) =>
    say.submission(at, {}, { accessKeys: [say.accessKey(2, { scopes: [scope] })] }),
  ),
  ...oddLines(12, 'a model of a gpu', 'h100', (at, model) =>
    computed({ gpu: { count: 1, vendor: 'nvidia', model } })(at),
  ),
  ...oddLines(13, 'a price', '1', (at, price) => grouped({ price })(at)),
  ...oddLines('sdk 2', 'a collateral', '1', (at, collateral) => grouped({ collateral })(at)),
  ...oddLines(21, 'a denomination', 'umu', (at, denom) =>
    say.submission(at, {}, { deposit: { denom, amount: '50000' } }),
  ),
  ...notUtf8Lines('a name', (at, name) => say.submission(at, {}, { name })),
  ...notUtf8Lines('a region', (at, region) => say.submission(at, { region })),
  ...notUtf8Lines('a service', (at, text) => say.submission(at, { services: [text] })),
  ...notUtf8Lines('a denomination', (at, denom) => say.submission(at, {}, { deposit: { denom, amount: '50000' } })),
];

const parameters: readonly Line[] = [
  ['sdk 4', 'parameters by somebody', (at) => params(at, {}, at.who.stranger)],
  ['sdk 8', 'parameters in the name of the authority', (at) => say.signedBy(at.who.stranger, params(at))],
  [
    'sdk 18',
    'no parameters',
    ({ more: { authority } }) =>
      say.send(authority, MsgUpdateParams, MsgUpdateParams.fromPartial({ authority: authority.address })),
  ],
  [22, 'no infrastructures', (at) => params(at, { maxInfrastructures: 0 })],
  [22, 'more than a hundred groups of resources', (at) => params(at, { maxResources: 101 })],
  [22, 'a bound of waiting below 0', (at) => params(at, { maxWaitBlocks: -1n })],
  [22, 'a bound of waiting of more than 100 years', (at) => params(at, { maxWaitBlocks: say.maxInt64 })],
  [22, 'no fee of sealed manifests', (at) => params(at, { sealedManifestFeePerByte: '' })],
  [22, 'a fee of sealed manifests below 0', (at) => params(at, { sealedManifestFeePerByte: '-1' })],
  ['sdk 2', 'a fee of sealed manifests of 2²⁵⁶', (at) => params(at, { sealedManifestFeePerByte: `${2n ** 256n}` })],
];

const updates: readonly Line[] = [
  [
    6,
    'an update to a name in capitals',
    (at) => say.deploymentUpdate(at, { infrastructure: [infrastructure({ name: 'Main' })] }),
  ],
  [2, 'an update of what there is not', (at) => say.deploymentUpdate(at, { dseq: 99n })],
  [2, 'an update of the greatest dseq', (at) => say.deploymentUpdate(at, { dseq: 2n ** 64n - 1n })],
  [2, 'an update of another’s deployment', (at) => say.deploymentUpdate(at, {}, at.who.stranger)],
  ['sdk 8', 'an update in the name of the owner', (at) => say.signedBy(at.who.stranger, say.deploymentUpdate(at))],
  [2, 'the end of another’s deployment', (at) => say.cancellation(at.who.stranger, 1n)],
  [2, 'the end of what there is not', (at) => say.cancellation(at.who.user, 99n)],
  [
    'sdk 8',
    'the end in the name of the owner',
    (at) => say.signedBy(at.who.stranger, say.cancellation(at.who.user, 1n)),
  ],
  [4, 'a dseq again', (at) => say.submission(at, {}, { dseq: 8n })],
  [4, 'a dseq below the last one', (at) => say.submission(at, {}, { dseq: 1n })],
  [5, 'one deployment more', (at) => say.submission(at)],
  [
    8,
    'an update to an unknown region',
    (at) => say.deploymentUpdate(at, { infrastructure: [infrastructure({ region: 'asia' })] }),
  ],
  [
    7,
    'an update to two of one name',
    (at) => say.deploymentUpdate(at, { infrastructure: [infrastructure(), infrastructure()] }),
  ],
  [
    12,
    'an update to a hundred groups',
    (at) =>
      say.deploymentUpdate(at, { infrastructure: [infrastructure({ resources: say.many(100, () => say.group()) })] }),
  ],
  [17, 'an update to a version of 33 bytes', (at) => say.deploymentUpdate(at, { version: new Uint8Array(33) })],
  [
    19,
    'an update to an access key twice',
    (at) => say.deploymentUpdate(at, { accessKeys: [say.accessKey(3), say.accessKey(3)] }),
  ],
  [
    20,
    'an update with a manifest for who is not chosen',
    (at) => say.deploymentUpdate(at, { sealedManifest: say.sealed(at) }),
  ],
  [
    'billing 10',
    'an update to a price that the escrow does not hold',
    (at) =>
      say.deploymentUpdate(at, {
        infrastructure: [infrastructure({ resources: [say.group({ price: umu('1000') })] })],
      }),
  ],
  [
    'market 36',
    'an update to a collateral above the bound',
    (at) =>
      say.deploymentUpdate(at, {
        infrastructure: [infrastructure({ resources: [say.group({ collateral: '1000000000001' })] })],
      }),
  ],
  [
    'sdk 5',
    'a sealed manifest that the owner cannot pay',
    (at) =>
      say.deploymentUpdate(at, {
        infrastructure: [infrastructure({ provider: at.more.keeper.address })],
        sealedManifest: say.sealed(at),
      }),
  ],
];

const afterwards: readonly Line[] = [
  [3, 'an update of what is over', (at) => say.deploymentUpdate(at)],
  [3, 'the end of what is over', (at) => say.cancellation(at.who.user, 1n)],
];

export const deploymentRows: readonly Row[] = [
  ...rows('deployment', 'registered', [...header, ...providers, ...resources, ...accessKeys, ...seals]),
  ...rows('deployment', 'registered', [...odd, ...parameters]),
  ...rows('deployment', 'ordered', [...updates, ...stated]),
  ...rows('deployment', 'leased', afterwards),
  ...rows('deployment', 'closed', [
    ...afterwards,
    [4, 'a dseq of what is over', (at) => say.submission(at, {}, { dseq: 1n })],
  ]),
];
