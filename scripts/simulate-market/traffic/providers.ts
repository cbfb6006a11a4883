/** What providers, auditors and their keys say to the registry. */
import { nodeSignBytes } from '@mu/lib/sign-bytes';
import {
  MsgAddNode,
  MsgAttestProvider,
  MsgDeregisterProvider,
  MsgPublishPriceList,
  MsgRegisterProvider,
  MsgRemoveNode,
  MsgUpdateProvider,
  NodeCertificate,
} from '@mu/proto/provider';
import { providerOf, providerStates } from '../model/providers.ts';
import type { ModelProvider } from '../model/records.ts';
import { accounts } from '../model/world.ts';
import { signingKey, signingKeyOf } from '../real/wallets.ts';
import { metrics, regions, services } from '../scenario.ts';
import { type Plan, type Scene, say, senderOf, type Twist, twisted } from './scene.ts';

type Stated = Omit<MsgUpdateProvider, 'owner'>;

const gold = { key: 'tier', value: 'gold' };
const fast = { key: 'disk', value: 'fast' };

function stated(scene: Scene, owner: string): Stated {
  const { chance, actors, world } = scene;
  const before = providerOf(world, owner)?.stated.encryptionKeys ?? [];
  const last = Math.max(0, ...before.map(({ keyId }) => keyId));
  const payouts = ['', '', actors.treasury.address, chance.pick(actors.auditors).address, accounts.fee_collector];
  const keyId = chance.once(2) && last > 0 ? last : last + 1;
  const publicKey = signingKey(`encryption ${owner} ${keyId}`).publicKey;
  return MsgUpdateProvider.fromPartial({
    operators: chance.some(actors.operators).map(({ address }) => address),
    payoutAddress: chance.pick(payouts),
    hostUri: 'https://provider.example:8443',
    gatewayUri: chance.pick(['https://provider.example', 'http://provider.example:8080']),
    regions: [chance.pick(regions), ...regions]
      .filter((one, at, all) => all.indexOf(one) === at)
      .slice(0, chance.from(2, 3)),
    services: chance.once(4) ? [chance.pick(services)] : [...services],
    attributes: chance.pick([[], [gold], [gold, fast]]),
    roots: [{ certificate: Uint8Array.of(0x30, 0x01, chance.below(256)), validToHeight: 0n }],
    nodeAuthorityKey: signingKey(`authority ${owner} ${chance.below(2)}`).publicKey,
    encryptionKeys: [
      { keyId, publicKey, validFromHeight: 0n, validToHeight: chance.once(3) ? world.height + 20n : 0n },
    ],
  });
}

const wrongStated: readonly Twist<Stated>[] = [
  ({ operators }) => ({ operators: [...operators, ...operators, ...(operators.length === 0 ? ['mu1wrong'] : [])] }),
  () => ({ hostUri: 'http://provider.example:8443' }),
  () => ({ hostUri: 'https://provider.example' }),
  () => ({ gatewayUri: 'ftp://provider.example' }),
  () => ({ regions: ['nowhere'] }),
  () => ({ regions: [] }),
  () => ({ services: ['mu-dream'] }),
  () => ({ attributes: [gold, gold] }),
  () => ({ roots: [] }),
  ({ roots }) => ({ roots: [...roots, ...roots] }),
  (_, { world }) => ({
    roots: [{ certificate: Uint8Array.of(0x30, 0x00), validFromHeight: 0n, validToHeight: world.height - 1n }],
  }),
  () => ({ nodeAuthorityKey: new Uint8Array(31) }),
  ({ encryptionKeys: [first] }) => ({ encryptionKeys: [{ ...first!, publicKey: new Uint8Array(33) }] }),
  ({ encryptionKeys: [first] }) => ({ encryptionKeys: [{ ...first!, publicKey: new Uint8Array(32) }] }),
  ({ encryptionKeys: [first] }) => ({ encryptionKeys: [{ ...first!, keyId: 0 }] }),
  () => ({ encryptionKeys: [] }),
  () => ({ payoutAddress: 'mu1wrong' }),
];

const listed = (scene: Scene) =>
  scene.chance.some(metrics).map((metric) => ({
    metric,
    price: scene.chance.once(6) ? '0' : `${scene.chance.big(1n, 150n) * 10n ** 14n + BigInt(scene.chance.below(2))}`,
    per: BigInt(scene.chance.pick([1, 3, 10])),
  }));

export function registerAnother(scene: Scene): Plan | undefined {
  const isFull = scene.actors.providers.every(({ address }) => providerOf(scene.world, address)?.state === 1);
  return isFull && !scene.chance.once(10) ? undefined : register(scene);
}

export function register(scene: Scene): Plan {
  const owner = scene.chance.pick(scene.chance.once(12) ? scene.wallets : unregistered(scene)).address;
  const fields = { ...twisted(scene, stated(scene, owner), wrongStated), owner, prices: listed(scene) };
  return say(owner, MsgRegisterProvider, fields);
}

function unregistered({ actors, world }: Scene) {
  const isOut = ({ address }: { address: string }): boolean => {
    const provider = providerOf(world, address);
    return provider === undefined || provider.state === providerStates.gone;
  };
  const out = actors.providers.filter(isOut);
  return out.length > 0 ? out : actors.providers;
}

/** A provider that is registered, mostly an active one; undefined before the first. */
export function someProvider({ chance, world }: Scene): ModelProvider | undefined {
  const active = world.lists.provider.filter(({ state }) => state === providerStates.active);
  return chance.any(active.length > 0 && !chance.once(15) ? active : world.lists.provider);
}

export function update(scene: Scene): Plan | undefined {
  const provider = someProvider(scene);
  if (provider === undefined) return undefined;
  const owner = senderOf(scene, provider.owner);
  return say(owner, MsgUpdateProvider, { ...twisted(scene, stated(scene, owner), wrongStated), owner });
}

const wrongLists: readonly Twist<MsgPublishPriceList>[] = [
  () => ({ prices: [] }),
  ({ prices }) => ({ prices: [...prices, ...prices] }),
  () => ({ prices: [{ metric: 'unknown', price: '1', per: 1n }] }),
  () => ({ prices: [{ metric: metrics[0], price: '1', per: 0n }] }),
];

export function publish(scene: Scene): Plan | undefined {
  const provider = someProvider(scene);
  if (provider === undefined) return undefined;
  const owner = senderOf(scene, provider.owner);
  return say(owner, MsgPublishPriceList, twisted(scene, { owner, prices: listed(scene) }, wrongLists));
}

const nodeIds = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5'];

const wrongNodes: readonly Twist<Omit<MsgAddNode, 'signature'>>[] = [
  () => ({ nodeId: 'NODE' }),
  () => ({ publicKey: new Uint8Array(31) }),
  () => ({ region: 'nowhere' }),
  ({ validToHeight }) => ({ validFromHeight: validToHeight + 1n }),
  (_, { world }) => ({ validFromHeight: 0n, validToHeight: world.height - 1n }),
];

export function addNode(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const standing = ({ owner }: ModelProvider): number =>
    world.lists.node.filter(({ node, removed }) => node.provider === owner && removed === 0n).length;
  const few = world.lists.provider.filter(
    (one) => one.state === 1 && standing(one) < world.single('provider').maxNodes,
  );
  const provider = chance.once(5) ? someProvider(scene) : chance.any(few);
  if (provider === undefined) return undefined;
  const used = world.lists.node.filter(({ node }) => node.provider === provider.owner).map(({ node }) => node.nodeId);
  const free = [...nodeIds, `x${world.height}`].filter((one) => !used.includes(one));
  const nodeId = chance.once(20) ? chance.pick(nodeIds) : (free[0] as string);
  const fields = twisted(
    scene,
    {
      owner: provider.owner,
      nodeId,
      publicKey: signingKey(`node ${provider.owner} ${nodeId}`).publicKey,
      region: provider.stated.regions[0] ?? 'eu',
      validFromHeight: chance.once(6) ? world.height : 0n,
      validToHeight: world.height + BigInt(chance.pick([30, 300, 100_000])),
    },
    wrongNodes,
  );
  const { owner, ...terms } = fields;
  const certificate = NodeCertificate.encode({ provider: owner, ...terms }).finish();
  const key = chance.once(15) ? signingKey('nobody') : signingKeyOf(provider.stated.nodeAuthorityKey);
  const signature = (key ?? signingKey('nobody')).sign(nodeSignBytes(world.chainId, certificate));
  return say(provider.owner, MsgAddNode, { ...fields, signature });
}

export function removeNode(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const standing = world.lists.node.filter(({ removed }) => removed === 0n);
  const node = chance.any(chance.once(8) ? world.lists.node : standing)?.node;
  if (node === undefined) return undefined;
  const reason = chance.pick([1, 1, 1, 2, 0]);
  const nodeId = chance.once(12) ? 'unknown' : node.nodeId;
  const owner = senderOf(scene, node.provider);
  return say(owner, MsgRemoveNode, { owner, nodeId, reason });
}

export function deregister(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const idle = world.lists.provider.filter(
    ({ owner, state }) =>
      state === providerStates.active &&
      !world.lists.bid.some((bid) => bid.provider === owner && bid.state === 1) &&
      !world.lists.lease.some((lease) => lease.provider === owner && lease.state <= 2),
  );
  const owner = (chance.once(2) ? undefined : chance.any(idle)?.owner) ?? someProvider(scene)?.owner;
  return owner === undefined ? undefined : say(owner, MsgDeregisterProvider, { owner });
}

export function attest(scene: Scene): Plan | undefined {
  const { chance, actors } = scene;
  const provider = chance.once(15) ? actors.stranger.address : someProvider(scene)?.owner;
  if (provider === undefined) return undefined;
  const auditor = chance.pick(actors.auditors).address;
  const attributes = chance.pick([[], [gold], [gold, fast], [gold, gold]]);
  return say(auditor, MsgAttestProvider, { auditor, provider, attributes });
}
