/** Every cell of the README's tables of transitions, read from there and carried out. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  FulfillmentState,
  LeaseState,
  ManifestState,
  type OrderId,
  OrderState,
  type Params,
  CloseReason as Reason,
} from '@mu/proto/market';
import { paramsItem, putLease } from '../src/state.ts';
import {
  address,
  close,
  dump,
  infrastructure,
  initialFunds,
  operatorA,
  provider,
  providerA,
  providerB,
  user,
  World,
} from './world.ts';

/** A world with one order; what a row of a table acts on. */
interface Scene {
  readonly world: World;
  readonly order: OrderId;
  /** number of the bid that the table speaks of */
  readonly bid?: bigint;
}

type Act = (scene: Scene) => unknown;

interface Table {
  readonly columns: Readonly<Record<string, () => Scene>>;
  readonly rows: Readonly<Record<string, Act>>;
  /** the name of the state that it is in */
  readonly stateOf: (scene: Scene) => string;
}

const late = address(12);

function begun(params: Partial<Params> = {}): Scene {
  const world = World.begun({ maxBidsPerOrder: 2, confirmationBlocks: 100n, ...params });
  world.providers.set(late, provider(late));
  world.bank.mint(world.ctx, late, initialFunds);
  const [order] = world.deploy(1n) as [OrderId];
  return { world, order };
}

const cancelDeployment: Act = ({ world, order }) =>
  world.keeper.closeDeployment(world.ctx, order, Reason.CLOSE_REASON_DEPLOYMENT_CANCELED);
const removeInfrastructure: Act = ({ world, order }) => world.keeper.removeOrder(world.ctx, order, 0);

/** The user asks for other services: no bid and no lease does any more. */
const askOtherwise: Act = ({ world, order }) => {
  const name = `${user}/${order.dseq}`;
  const before = world.deployments.get(name);
  if (before === undefined) throw new Error('nothing is deployed');
  const next = { ...before, infrastructure: [infrastructure({ services: ['mu-gateway'] })] };
  world.deployments.set(name, next);
  return world.keeper.updateOrder(world.ctx, next, 0, before.infrastructure[0]);
};

const submitLease: Act = ({ world, order }) => world.msgs.submitLease(world.ctx, { sender: user, order });
const endLease: Act = ({ world }) => close(world, 1n, Reason.CLOSE_REASON_BY_USER);

/** With a bid of provider B, which becomes due in block 4. */
function withBid(price = '9', params: Partial<Params> = {}): Scene {
  const scene = begun(params);
  return { ...scene, bid: scene.world.bid(scene.order, providerB, price) };
}

function due(): Scene {
  const scene = withBid();
  scene.world.to(4n);
  return scene;
}

function matched(): Scene {
  const scene = due();
  submitLease(scene);
  return scene;
}

function after(make: () => Scene, ...acts: Act[]): Scene {
  const scene = make();
  for (const act of acts) act(scene);
  return scene;
}

const orderTable: Table = {
  columns: {
    open: begun,
    auction: withBid,
    due,
    matched,
    closed: () => after(matched, endLease),
  },
  rows: {
    SubmitFulfillment: ({ world, order }) => world.bid(order, late, '8'),
    'CancelFulfillment of the last bid': ({ world, bid = 1n }) =>
      world.msgs.cancelFulfillment(world.ctx, { sender: providerB, number: bid }),
    SubmitLease: submitLease,
    'the deployment asks something else': askOtherwise,
    'the infrastructure is removed': removeInfrastructure,
    'the deployment is canceled': cancelDeployment,
    'its lease ends': endLease,
  },
  stateOf({ world, order }) {
    const { state, openBids, dueHeight } = world.order(order);
    if (state === OrderState.ORDER_STATE_MATCHED) return 'matched';
    if (state === OrderState.ORDER_STATE_CLOSED) return 'closed';
    if (openBids === 0) return 'open';
    return dueHeight <= world.ctx.height ? 'due' : 'auction';
  },
};

/** A bid that was lost to a better one, in a book whose order is still open: it was evicted. */
function evicted(): Scene {
  const scene = withBid();
  scene.world.bid(scene.order, late, '8');
  scene.world.bid(scene.order, providerA, '7');
  return scene;
}

const cancelBid: Act = ({ world, bid = 0n }) =>
  world.msgs.cancelFulfillment(world.ctx, { sender: providerB, number: bid });

const bidTable: Table = {
  columns: {
    open: withBid,
    matched,
    lost: evicted,
    canceled: () => after(withBid, cancelBid),
  },
  rows: {
    CancelFulfillment: cancelBid,
    'SubmitLease: it is the best': (scene) => {
      scene.world.bid(scene.order, late, '9.5');
      scene.world.to(4n);
      submitLease(scene);
    },
    'SubmitLease: another one is better': (scene) => {
      scene.world.bid(scene.order, late, '8');
      scene.world.to(4n);
      submitLease(scene);
    },
    'a cheaper bid comes to a full book': ({ world, order }) => {
      const third = address(13);
      world.providers.set(third, provider(third));
      world.bank.mint(world.ctx, third, initialFunds);
      if (world.order(order).openBids < 2) world.bid(order, late, '8');
      if (world.order(order).openBids < 2) world.bid(order, providerA, '7');
      world.bid(order, third, '1');
    },
    'the order is closed': (scene) => {
      cancelDeployment(scene);
    },
  },
  stateOf({ world, bid = 0n }) {
    const names: Partial<Record<FulfillmentState, string>> = {
      [FulfillmentState.FULFILLMENT_STATE_OPEN]: 'open',
      [FulfillmentState.FULFILLMENT_STATE_MATCHED]: 'matched',
      [FulfillmentState.FULFILLMENT_STATE_LOST]: 'lost',
      [FulfillmentState.FULFILLMENT_STATE_CANCELED]: 'canceled',
    };
    return names[world.bidAt(bid).state] ?? 'unknown';
  },
};

/** Provider A has lease 1 since block 4; `lapse` lets it be confirmed no longer. */
function leased(): Scene {
  const scene = begun();
  scene.world.lease(scene.order);
  return scene;
}

function lapsed(): Scene {
  const scene = leased();
  scene.world.to(105n);
  return scene;
}

const confirm: Act = ({ world }) => world.confirm(1n);

function outOfFunds(): Scene {
  const scene = leased();
  drain(scene);
  scene.world.to(10n);
  confirm(scene);
  return scene;
}

/** Spends the escrow to the last umu, as other leases of the deployment would. */
function drain({ world, order }: Scene): void {
  world.billing.spend(world.ctx, order, world.billing.escrow(world.ctx, order));
}

/** Changes parameters: what a row presupposes is over by then, or is not. */
const set = (world: World, params: Partial<Params>): void =>
  paramsItem.set(world.ctx, { ...paramsItem.get(world.ctx), ...params });

const closing =
  (reason: Reason, sender: string): Act =>
  ({ world }) =>
    close(world, 1n, reason, sender);

const leaseTable: Table = {
  columns: {
    active: leased,
    stale: lapsed,
    out_of_funds: outOfFunds,
    closed: () => after(leased, endLease),
    broken: () => after(lapsed, ({ world }) => world.msgs.submitStaleLease(world.ctx, { sender: user, lease: 1n })),
  },
  rows: {
    SubmitLeaseConfirmation: confirm,
    'SubmitLeaseConfirmation, the escrow is empty': (scene) => {
      drain(scene);
      scene.world.to(scene.world.ctx.height + 1n);
      confirm(scene);
    },
    SubmitStaleLease: ({ world }) => world.msgs.submitStaleLease(world.ctx, { sender: user, lease: 1n }),
    AnnounceLeave: ({ world }) => world.msgs.announceLeave(world.ctx, { sender: operatorA, lease: 1n }),
    'CloseLease by_user': closing(Reason.CLOSE_REASON_BY_USER, user),
    'CloseLease not_serving': closing(Reason.CLOSE_REASON_NOT_SERVING, user),
    'CloseLease provider_notice, notice over': (scene) => {
      const lease = scene.world.leaseAt(1n);
      putLease(scene.world.ctx, { ...lease, leaveHeight: scene.world.ctx.height }, lease);
      closing(Reason.CLOSE_REASON_PROVIDER_NOTICE, providerA)(scene);
    },
    'CloseLease provider_notice, none given': closing(Reason.CLOSE_REASON_PROVIDER_NOTICE, providerA),
    'CloseLease provider_at_once': closing(Reason.CLOSE_REASON_PROVIDER_AT_ONCE, operatorA),
    'CloseLease manifest_missing, time is over': (scene) => {
      set(scene.world, { manifestTimeoutBlocks: 0n });
      closing(Reason.CLOSE_REASON_MANIFEST_MISSING, providerA)(scene);
    },
    'CloseLease manifest_missing, it may still come': closing(Reason.CLOSE_REASON_MANIFEST_MISSING, providerA),
    'CloseLease policy, it runs': (scene) => {
      set(scene.world, { manifestTimeoutBlocks: 0n });
      const lease = scene.world.leaseAt(1n);
      putLease(scene.world.ctx, { ...lease, manifestState: ManifestState.MANIFEST_STATE_RUNNING }, lease);
      closing(Reason.CLOSE_REASON_POLICY, providerA)(scene);
    },
    'CloseLease out_of_funds, by anybody': closing(Reason.CLOSE_REASON_OUT_OF_FUNDS, user),
    'a deposit comes': ({ world, order }) => {
      world.billing.deposit(world.ctx, order, 1_000n);
      world.keeper.resumeLeases(world.ctx, order);
    },
    'EndBlock, the grace is over': ({ world }) => {
      const { graceUntil } = world.leaseAt(1n);
      if (graceUntil !== 0n) world.to(graceUntil);
      world.keeper.endGraces(world.ctx);
    },
    'the deployment is canceled': cancelDeployment,
    'the infrastructure is removed': removeInfrastructure,
  },
  stateOf({ world }) {
    const { state, confirmBy } = world.leaseAt(1n);
    if (state === LeaseState.LEASE_STATE_OUT_OF_FUNDS) return 'out_of_funds';
    if (state === LeaseState.LEASE_STATE_CLOSED) return 'closed';
    if (state === LeaseState.LEASE_STATE_BROKEN) return 'broken';
    return confirmBy < world.ctx.height ? 'stale' : 'active';
  },
};

/** The rows of the README's table whose first column has that heading. */
function readTable(heading: string): { columns: string[]; rows: string[][] } {
  const lines = readFileSync(new URL('../README.md', import.meta.url), 'utf8').split('\n');
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const at = lines.findIndex((line) => line.startsWith('|') && cells(line)[0] === heading);
  const end = lines.findIndex((line, index) => index > at && !line.startsWith('|'));
  return { columns: cells(lines[at] as string).slice(1), rows: lines.slice(at + 2, end).map(cells) };
}

describe.each<[string, Table]>([
  ['order', orderTable],
  ['bid', bidTable],
  ['lease', leaseTable],
])('of the table of transitions, %s:', (heading, table) => {
  const { columns, rows } = readTable(heading);

  test('every row and column is one that can be carried out, and the other way round', () => {
    expect(columns).toEqual(Object.keys(table.columns));
    expect(rows.map(([row]) => row)).toEqual(Object.keys(table.rows));
  });

  const named = rows.flatMap(([row = '', ...cells]) =>
    cells.map((cell, at) => [row, columns[at] as string, cell] as const).filter(([, , cell]) => cell !== '–'),
  );

  test.each(named)('%s: %s → %s', (row, column, cell) => {
    const scene = (table.columns[column] as () => Scene)();
    expect(table.stateOf(scene)).toBe(column);
    const act = table.rows[row] as Act;
    if (!/^\d+$/.test(cell)) {
      act(scene);
      expect(table.stateOf(scene)).toBe(cell);
      scene.world.check();
      return;
    }
    const before = dump(scene.world.ctx);
    const { world } = scene;
    const ctx = world.ctx;
    const failure = ctx.isolated((own) => {
      world.ctx = own;
      act(scene);
    });
    world.ctx = ctx;
    expect(failure).toMatchObject({ codespace: 'market', code: Number(cell) });
    expect(dump(ctx)).toEqual(before);
  });
});
