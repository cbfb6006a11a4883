/** Deposits, withdrawals at the edge of what is allowed, and usage reports. */
import { usageSignBytes } from '@mu/lib/sign-bytes';
import { MsgDeposit, MsgUpdateUsage, MsgWithdraw, UsageReport } from '@mu/proto/billing';
import { smaller } from '../fraction.ts';
import { sharesOf } from '../model/escrow.ts';
import { escrowStates, isLive } from '../model/lookups.ts';
import { providerOf } from '../model/providers.ts';
import type { ModelEscrow, ModelLease } from '../model/records.ts';
import { signingKey, signingKeyOf } from '../real/wallets.ts';
import { metrics } from '../scenario.ts';
import { coin, type Plan, type Scene, say, senderOf, type Twist, twisted } from './scene.ts';

/** An escrow, mostly an open one, now and then one that has nothing left. */
function someEscrow({ chance, world }: Scene): ModelEscrow | undefined {
  const open = world.lists.escrow.filter(({ state }) => state === escrowStates.open);
  const empty = open.filter(({ balance }) => balance < 5n);
  if (empty.length > 0 && chance.once(2)) return chance.pick(empty);
  return chance.any(open.length > 0 && !chance.once(10) ? open : world.lists.escrow);
}

const wrongDeposits: readonly Twist<MsgDeposit>[] = [
  () => ({ amount: coin(100n, 'other') }),
  () => ({ amount: coin(0n) }),
  () => ({ dseq: 1_000_000n }),
  (_, { world }) => ({ amount: coin(world.single('supply') + 1n) }),
];

export function deposit(scene: Scene): Plan | undefined {
  const { chance, actors, wallets, world } = scene;
  const escrow = someEscrow(scene);
  if (escrow === undefined) return undefined;
  const depositor = chance.pick(chance.once(6) ? wallets : [...actors.users, actors.stranger]).address;
  const { owner, dseq } = escrow;
  const least = BigInt(world.single('billing').minDeposit);
  const more = [chance.big(0n, 10n), chance.big(10n, 400n), chance.big(100n, 1500n)];
  const amount = coin(chance.once(12) ? least - 1n : least + chance.pick(more));
  return say(
    depositor,
    MsgDeposit,
    twisted(scene, MsgDeposit.fromPartial({ depositor, owner, dseq, amount }), wrongDeposits),
  );
}

const wrongWithdrawals: readonly Twist<MsgWithdraw>[] = [
  () => ({ amount: coin(1n, 'other') }),
  () => ({ amount: coin(0n) }),
  () => ({ dseq: 1_000_000n }),
];

export function withdraw(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const share = chance.any(world.lists.share);
  if (share === undefined) return undefined;
  const { owner, dseq } = share;
  const escrow = world.lists.escrow.find((one) => one.owner === owner && one.dseq === dseq) as ModelEscrow;
  const all = sharesOf(world, escrow).reduce((sum, one) => sum + one.shares, 0n);
  const worth = (share.shares * escrow.balance) / all;
  const free = escrow.balance > escrow.reserve ? escrow.balance - escrow.reserve : 0n;
  const edges = [worth, worth + 1n, free, free + 1n, free < worth ? free : worth, worth / 2n, 1n];
  const depositor = senderOf(scene, share.depositor);
  const fields = MsgWithdraw.fromPartial({ depositor, owner, dseq, amount: coin(chance.pick(edges)) });
  return say(depositor, MsgWithdraw, twisted(scene, fields, wrongWithdrawals));
}

/** A lease that may have something to report: one that lives, or has ended a while ago. */
function reportable({ chance, world }: Scene): ModelLease | undefined {
  const late = world.lists.lease.filter(({ closed }) => closed !== 0n && closed + 16n > world.height);
  return chance.any(chance.once(3) ? late : world.lists.lease.filter(isLive));
}

function report(scene: Scene, lease: ModelLease): UsageReport | undefined {
  const { chance, world } = scene;
  const nodes = world.lists.node.filter(({ node }) => node.provider === lease.provider);
  const standing = nodes.filter(({ removed }) => removed === 0n);
  const chosen = chance.any(standing.length > 0 && !chance.once(5) ? standing : nodes);
  if (chosen === undefined) return undefined;
  const { nodeId } = chosen.node;
  const last = world.lists.usage.find((one) => one.lease === lease.number && one.nodeId === nodeId);
  const from = (last?.to ?? lease.created) + 1n;
  const latest = lease.closed === 0n ? world.height : lease.closed;
  // Of a node that is gone the last block before its end counts, its end does not.
  const end = chosen.removed === 0n ? latest : smaller(latest, chosen.removed - chance.big(0n, 1n));
  const to = end > from ? chance.pick([end, chance.big(from, end)]) : from;
  const items = itemsOf(scene, lease, to - from + 1n);
  const logRoot = new Uint8Array(32).fill(chance.below(256));
  return {
    lease: lease.number,
    nodeId,
    sequence: (last?.sequence ?? 0n) + 1n,
    fromHeight: from,
    toHeight: to,
    items,
    logRoot,
  };
}

function itemsOf({ chance }: Scene, { limits }: ModelLease, blocks: bigint): UsageReport['items'] {
  const list = chance.some(['api', 'web']).flatMap((service) =>
    chance.some(metrics).map((metric) => {
      const most = limits.find((one) => one.metric === metric)?.maxQuantityPerBlock ?? 100n;
      const all = most * blocks;
      const quantity = chance.pick([1n, all / 2n, all / 3n, all, chance.once(4) ? all + 1n : all / 4n]);
      return { service, metric, quantity: quantity === 0n ? 1n : quantity };
    }),
  );
  return list.slice(0, chance.once(10) ? 8 : 5);
}

const wrongReports: readonly Twist<UsageReport>[] = [
  () => ({ lease: 0n }),
  () => ({ lease: 1_000_000n }),
  () => ({ nodeId: 'NODE' }),
  () => ({ nodeId: 'unknown', sequence: 1n }),
  ({ sequence }) => ({ sequence: sequence + 1n }),
  ({ fromHeight }) => ({ fromHeight: fromHeight + 1n, toHeight: fromHeight + 1n }),
  ({ toHeight }) => ({ toHeight: toHeight + 50n }),
  ({ fromHeight }) => ({ toHeight: fromHeight - 1n }),
  () => ({ logRoot: new Uint8Array(31) }),
  ({ items }) => ({ items: [...items].reverse() }),
  ({ items: [first] }) => ({ items: first === undefined ? [] : [{ ...first, quantity: 0n }] }),
  () => ({ items: [{ service: 'api', metric: 'unknown', quantity: 1n }] }),
  () => ({ items: [{ service: 'api', metric: metrics[2], quantity: 1_000_000n }] }),
];

export function usage(scene: Scene): Plan | undefined {
  const { chance, world } = scene;
  const lease = reportable(scene);
  const provider = lease && providerOf(world, lease.provider);
  const right = lease && report(scene, lease);
  if (lease === undefined || provider === undefined || right === undefined) return undefined;
  const said = UsageReport.fromPartial(twisted(scene, right, wrongReports));
  const node = world.lists.node.find((one) => one.node.provider === lease.provider && one.node.nodeId === said.nodeId);
  const own = node && signingKeyOf(node.node.publicKey);
  const key = own === undefined || chance.once(20) ? signingKey('nobody') : own;
  const signature =
    said.lease === 0n ? new Uint8Array(64) : key.sign(usageSignBytes(world.chainId, UsageReport.encode(said).finish()));
  const sender = senderOf(scene, chance.pick([provider.owner, ...provider.operators]));
  return say(sender, MsgUpdateUsage, {
    sender,
    report: said,
    signature: chance.once(40) ? signature.slice(1) : signature,
  });
}
