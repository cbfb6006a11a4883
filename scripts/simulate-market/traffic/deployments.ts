/** What users order, change and cancel. */
import {
  DeploymentInfrastructure,
  MsgCancelDeployment,
  MsgSubmitDeployment,
  MsgUpdateDeployment,
} from '@mu/proto/deployment';
import { reserveFor } from '../model/escrow.ts';
import { deploymentOf, deploymentStates } from '../model/lookups.ts';
import type { ModelDeployment } from '../model/records.ts';
import { isStale } from '../model/replacement.ts';
import { digestOf } from '../real/wallets.ts';
import { metrics, regions, services } from '../scenario.ts';
import { coin, type Plan, price, type Scene, say, type Twist, twisted } from './scene.ts';

const gold = { key: 'tier', value: 'gold' };

/** An infrastructure that somebody may fulfil. */
function infrastructure(scene: Scene, name: string): DeploymentInfrastructure {
  const { chance, actors } = scene;
  const chosen = chance.once(8) ? chance.pick(actors.providers).address : '';
  const excluded = chance.once(8) ? [chance.pick(actors.providers).address] : [];
  const limits = chance.once(3) ? [] : chance.some(metrics);
  const audited = chance.once(9) ? actors.auditors.slice(chance.below(2)).map(({ address }) => address) : [];
  return DeploymentInfrastructure.fromPartial({
    name,
    region: chance.pick(regions),
    provider: chosen,
    excludedProviders: excluded.filter((one) => one !== chosen),
    persist: chance.once(2),
    services: chance.once(3) ? [] : [chance.pick(services)],
    attributes: chance.once(6) ? [gold] : [],
    auditedBy: audited,
    resources: Array.from({ length: chance.from(1, 2) }, () => group(scene)),
    usageLimits: limits.map((metric) => limit(scene, metric)),
    expectedUsage: chance.some(limits).map((metric) => ({ metric, quantityPerBlock: chance.big(0n, 5n) })),
  });
}

const group = (scene: Scene): object => ({
  compute: { cpu: 100 * scene.chance.from(1, 3), memory: 1_000_000n, disk: scene.chance.big(0n, 1n), ...gpu(scene) },
  price: price(scene, scene.chance.once(10) ? 300 : 12),
  collateral: `${scene.chance.pick([0, 7, 50, 199, 500])}`,
  count: scene.chance.from(1, 2),
});

const gpu = ({ chance }: Scene): object => (chance.once(9) ? { gpu: { count: 1, vendor: 'v', model: 'm' } } : {});

const limit = ({ chance }: Scene, metric: string): object => ({
  metric,
  maxPrice: `${chance.big(1n, 500n) * 10n ** 14n}`,
  maxPricePer: BigInt(chance.pick([1, 1, 7])),
  maxQuantityPerBlock: BigInt(chance.pick([5, 60, 300])),
});

const wrongGroup = (changes: object): Twist<DeploymentInfrastructure> => {
  return ({ resources: [first, ...rest] }) => ({ resources: [{ ...first!, ...changes }, ...rest] });
};

const wrongInfrastructures: readonly Twist<DeploymentInfrastructure>[] = [
  () => ({ name: 'Upper' }),
  () => ({ region: 'nowhere' }),
  () => ({ provider: 'mu1wrong' }),
  (_, { actors }) => ({ excludedProviders: [actors.stranger.address, actors.stranger.address] }),
  (_, { actors }) => ({ provider: actors.stranger.address, excludedProviders: [actors.stranger.address] }),
  () => ({ services: ['mu-db', 'mu-db'] }),
  () => ({ services: ['mu-later'] }),
  () => ({ attributes: [gold, gold] }),
  () => ({ resources: [] }),
  wrongGroup({ count: 0 }),
  wrongGroup({ price: '0' }),
  wrongGroup({ collateral: '501' }),
  ({ usageLimits: [first] }) => ({ usageLimits: first === undefined ? [] : [first, first] }),
  () => ({ usageLimits: [{ metric: 'unknown', maxPrice: '1', maxPricePer: 1n, maxQuantityPerBlock: 1n }] }),
  () => ({ usageLimits: [{ metric: metrics[0], maxPrice: '1', maxPricePer: 0n, maxQuantityPerBlock: 1n }] }),
  () => ({ usageLimits: [], expectedUsage: [{ metric: metrics[0], quantityPerBlock: 1n }] }),
];

const one = (scene: Scene, name: string): DeploymentInfrastructure => {
  const made = infrastructure(scene, name);
  return scene.chance.once(4) ? twisted(scene, made, wrongInfrastructures) : made;
};

/** A metric is expected only within its limit. */
function fitting(spec: DeploymentInfrastructure): DeploymentInfrastructure {
  const fits = ({ metric, quantityPerBlock }: { metric: string; quantityPerBlock: bigint }): boolean =>
    spec.usageLimits.some((limit) => limit.metric === metric && limit.maxQuantityPerBlock >= quantityPerBlock);
  return { ...spec, expectedUsage: spec.expectedUsage.filter(fits) };
}

const names = ['web', 'db', 'cache', 'jobs'];

const accessKey = (at: number): object => {
  const publicKey = new Uint8Array(33).fill(at + 1);
  publicKey[0] = 2;
  return { publicKey, scopes: ['read', 'logs'], expiresHeight: 0n };
};

const wrongDeployments: readonly Twist<MsgSubmitDeployment>[] = [
  () => ({ name: '' }),
  ({ dseq }) => ({ dseq: dseq - 1n }),
  () => ({ infrastructure: [] }),
  ({ infrastructure: list }) => ({ infrastructure: [...list, ...list] }),
  () => ({ version: new Uint8Array(31) }),
  () => ({ waitBlocks: 1_000_000n }),
  () => ({ accessKeys: [accessKey(0), accessKey(0)] as MsgSubmitDeployment['accessKeys'] }),
  () => ({ deposit: coin(1000n, 'other') }),
  () => ({ deposit: coin(0n) }),
  ({ deposit }, { world }) => ({ deposit: coin(world.single('supply') + BigInt(deposit?.amount ?? 0)) }),
];

export function deploy(scene: Scene): Plan | undefined {
  const { chance, actors, world } = scene;
  const owner = chance.pick(actors.users).address;
  const active = world.lists.deployment.filter((one) => one.owner === owner && one.state === deploymentStates.active);
  if (active.length >= world.single('deployment').maxActiveDeployments && !chance.once(15)) return undefined;
  const last = world.lists.owner.find((found) => found.owner === owner)?.lastDseq ?? 0n;
  const list = names.slice(0, chance.pick([1, 1, 1, 2, 3])).map((name) => one(scene, name));
  const reserve = reserveOf(scene, list);
  const most = chance.once(6) ? 20n : 900n;
  const fields = MsgSubmitDeployment.fromPartial({
    owner,
    dseq: last + chance.big(1n, 2n),
    name: 'a deployment',
    infrastructure: list,
    version: digestOf(`version ${chance.below(1000)}`),
    waitBlocks: chance.once(3) ? chance.big(1n, 8n) : 0n,
    accessKeys: chance.once(5) ? [accessKey(1)] : [],
    deposit: coin(chance.once(25) ? reserve - (reserve > 0n ? 1n : 0n) : reserve + chance.big(50n, 50n + most)),
    ...sealed(scene, list),
  });
  return say(owner, MsgSubmitDeployment, twisted(scene, fields, wrongDeployments));
}

/** Of what is wrong the reserve is not asked. */
function reserveOf({ world }: Scene, list: readonly DeploymentInfrastructure[]): bigint {
  return list.some(({ usageLimits }) => usageLimits.some(({ maxPricePer }) => maxPricePer < 1n))
    ? 0n
    : reserveFor(world, list);
}

/** A manifest for the provider that an infrastructure names, mostly one that may be put on the chain. */
function sealed({ chance, world }: Scene, list: readonly DeploymentInfrastructure[]): object {
  const chosen = list.find(({ provider }) => provider !== '')?.provider;
  if (chosen === undefined || chance.once(3)) return {};
  const keys = world.lists.provider.find(({ owner }) => owner === chosen)?.stated.encryptionKeys ?? [];
  const keyId = chance.once(8) ? 999 : (keys[0]?.keyId ?? 1);
  const sizes = { encapsulatedKey: chance.once(12) ? 31 : 32, ciphertext: chance.pick([17, 60, 16, 17_000, 40]) };
  const encapsulatedKey = new Uint8Array(sizes.encapsulatedKey).fill(7);
  return {
    sealedManifest: { provider: chosen, keyId, encapsulatedKey, ciphertext: new Uint8Array(sizes.ciphertext).fill(9) },
  };
}

/** A deployment, mostly one that goes on. */
export function someDeployment({ chance, world }: Scene): ModelDeployment | undefined {
  const active = world.lists.deployment.filter(({ state }) => state === deploymentStates.active);
  return chance.any(active.length > 0 && !chance.once(15) ? active : world.lists.deployment);
}

export function cancel(scene: Scene): Plan | undefined {
  // Where the block has not broken a lease yet, the one who cancels gets there first.
  const stale = scene.chance.any(scene.world.lists.lease.filter((lease) => isStale(scene.world, lease)));
  const deployment = (stale && deploymentOf(scene.world, stale.order.id)) ?? someDeployment(scene);
  if (deployment === undefined) return undefined;
  const { chance, wallets } = scene;
  const owner = chance.once(12) ? chance.pick(wallets).address : deployment.owner;
  return say(owner, MsgCancelDeployment, { owner, dseq: deployment.dseq });
}

const wrongUpdates: readonly Twist<MsgUpdateDeployment>[] = [
  () => ({ dseq: 999_999n }),
  () => ({ version: new Uint8Array(31) }),
  ({ infrastructure: list }) => ({ infrastructure: [...list, ...list] }),
  () => ({ accessKeys: [accessKey(0), accessKey(0)] as MsgUpdateDeployment['accessKeys'] }),
];

export function update(scene: Scene): Plan | undefined {
  const { chance } = scene;
  const deployment = someDeployment(scene);
  if (deployment === undefined) return undefined;
  const { owner, dseq } = deployment;
  const list = chance.once(5) ? [] : changedList(scene, deployment);
  const version = chance.once(2) ? digestOf(`version ${chance.below(1000)}`) : new Uint8Array();
  const accessKeys = chance.once(4) ? [accessKey(chance.below(3))] : [];
  const fields = MsgUpdateDeployment.fromPartial({
    owner,
    dseq,
    infrastructure: list,
    version,
    accessKeys,
    ...sealed(scene, list),
  });
  return say(owner, MsgUpdateDeployment, twisted(scene, fields, wrongUpdates));
}

/** The infrastructures that stand, some of them changed or left out, perhaps a new one. */
function changedList(scene: Scene, { infrastructure: all, removed }: ModelDeployment): DeploymentInfrastructure[] {
  const { chance } = scene;
  const standing = all.filter((_, at) => !removed.includes(at));
  const kept = standing.filter(() => standing.length === 1 || !chance.once(5)).map((spec) => changed(scene, spec));
  const free = names.filter((name) => !standing.some((spec) => spec.name === name));
  const added = chance.once(5) && free.length > 0 ? [one(scene, chance.pick(free))] : [];
  return chance.once(3) ? [...added, ...kept] : [...kept, ...added];
}

function changed(scene: Scene, spec: DeploymentInfrastructure): DeploymentInfrastructure {
  const { chance, actors } = scene;
  const known = chance.pick(actors.providers).address;
  const excludedProviders = spec.provider === known ? spec.excludedProviders : [known];
  const changes: readonly (() => Partial<DeploymentInfrastructure>)[] = [
    () => ({}),
    () => ({}),
    () => ({ persist: !spec.persist }),
    () => ({ persist: true }),
    () => ({ excludedProviders }),
    () => ({ excludedProviders: [] }),
    () => ({ expectedUsage: [] }),
    () => ({ resources: [group(scene)] as DeploymentInfrastructure['resources'] }),
    () => ({ region: chance.pick(regions) }),
    () => infrastructure(scene, spec.name),
  ];
  return fitting({ ...spec, ...chance.pick(changes)() });
}
