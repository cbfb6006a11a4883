/** The story, chapter by chapter: each does what its words say, and checks that the chain did the same. */
import { Dec } from '@mu/lib/dec';
import { CloseReason, FulfillmentState, type Lease, LeaseState, type Order } from '@mu/proto/market';
import { bookText } from '../../../cli/src/order-book.ts';
import { counted, grouped, wordOf } from '../../../cli/src/words.ts';
import { type Actor, denom, type Provider } from './actors.ts';
import { lightClient, verifiedBill } from './bills.ts';
import { bids, bidsOf, cancel, lease, leaseOf, openOrder, order, over, until } from './market.ts';
import { blocks, type World } from './world.ts';

export interface Story {
  readonly world: World;
  readonly say: (text: string) => void;
}

const coins = (amount: string | bigint): string => `${grouped(BigInt(amount))} ${denom}`;

/** @throws Error that the demo is not true */
function check(what: string, holds: boolean): void {
  if (!holds) throw new Error(`the chain does not do what this demo says: ${what}`);
}

function providerOf({ world }: Story, address: string): Provider {
  const found = world.providers.find((provider) => provider.address === address);
  if (found === undefined) throw new Error(`${address} is nobody's here`);
  return found;
}

/** What the chain says, without what the client says of it. */
const reasonOf = (message = ''): string => message.replace(/^the transaction would fail: /, '');

/** All chapters. @returns what the summary says of them */
export async function tell(story: Story): Promise<{ winner: string; successor: string; broken: string }> {
  const shop = await adaOrders(story);
  await serving(story, shop);
  const successor = await handOver(story, shop);
  const blog = await bobOrders(story);
  const echo = await brokenLease(story, blog);
  await verifyBills(story);
  await farewell(story);
  return { winner: providerOf(story, shop.provider).name, successor, broken: echo };
}

/** Addresses are long, and everybody has a name here. */
function nameOf({ world }: Story, address: string): string {
  return [...world.users, ...world.providers].find((actor) => actor.address === address)?.name ?? address;
}

function named(story: Story, of: Order): Order {
  const { id, spec } = of;
  if (id === undefined || spec === undefined) return of;
  const excludedProviders = spec.excludedProviders.map((address) => nameOf(story, address));
  return { ...of, id: { ...id, owner: nameOf(story, id.owner) }, spec: { ...spec, excludedProviders } };
}

async function showBook(story: Story, of: Order): Promise<void> {
  const { client } = story.world;
  const [height, { params }, all] = await Promise.all([client.height(), client.market.params({}), bidsOf(client, of)]);
  const open = all.filter(({ state }) => state === FulfillmentState.FULFILLMENT_STATE_OPEN);
  const { order: now } = await client.market.order(of.id ?? {});
  const book = {
    height: BigInt(height),
    blocksPerYear: params?.blocksPerYear ?? 0n,
    denom,
    orders: [
      { order: named(story, now ?? of), bids: open.map((bid) => ({ ...bid, provider: nameOf(story, bid.provider) })) },
    ],
    leases: [],
  };
  // The last part is of leases, of which there are none yet.
  const text = bookText(book).split('\n\n').slice(1, -1).join('\n\n');
  story.say(text.replace(/^/gm, '    '));
}

async function adaOrders(story: Story): Promise<Lease> {
  const { world, say } = story;
  const [ada] = world.users;
  const [aurora, boreal, cirrus, delta, echo] = world.providers;
  say('\n1. An order, bids, and the cheapest wins');
  say('  Ada wants a server for her shop. She pays at most 100 umu per block and wants 4,000 MU of collateral:');
  say(
    '  coins of the provider that are hers, in part, if it lets her down. Her deposit pays the provider block by block.',
  );
  const wish = { name: 'shop', highest: '100', collateral: '4000000000', deposit: '60000' };
  const shop = await order(ada, wish);
  const offers = [
    [aurora, '90'],
    [boreal, '80'],
    [cirrus, '80'],
    [delta, '95'],
    [echo, '120'],
  ] as const;
  const refused = await bids(shop, offers);
  await showBook(story, shop);
  say(`  Echo wanted 120: the chain refuses it (${reasonOf(refused.get('Echo'))})`);
  check('a bid above the highest price is refused', refused.has('Echo') && refused.size === 1);
  const won = await leaseOf(world.client, shop);
  say(
    `  block ${won.createdHeight}: the block itself begins with the match. Boreal and Cirrus ask the same, Boreal came first:`,
  );
  say(`  lease ${won.number} goes to ${providerOf(story, won.provider).name}. The others have their collateral back.`);
  check('the cheapest bid wins, the earlier one on a tie', won.provider === boreal.address);
  const states = (await bidsOf(world.client, shop)).map(({ state }) => state);
  check(
    'all other bids are lost',
    states.filter((state) => state === FulfillmentState.FULFILLMENT_STATE_LOST).length === 3,
  );
  return won;
}

async function serving(story: Story, { number, createdHeight }: Lease): Promise<void> {
  const { world, say } = story;
  const [, boreal] = world.providers;
  say('\n2. Confirmations keep a lease alive, and pay it');
  await boreal.serve(number);
  const confirmed = await lease(world.client, number);
  say(
    `  Boreal says "it runs": ${coins(confirmed.paid)} for blocks ${createdHeight + 1n}–${confirmed.paidThrough}, 5 % of the price go to the community.`,
  );
  await until(world.client, confirmed.paidThrough + 6n);
  const report = await boreal.reportUsage(confirmed, 30n);
  const now = await lease(world.client, number);
  say(
    `  It confirms again every few blocks. In block ${report.height} its node signs a report: the shop was called 30 times, 0.5 umu each.`,
  );
  say(
    `  So far the lease has paid ${coins(now.paid)} to Boreal and ${coins(now.commission)} of commission, in ${now.billLines} lines of a bill.`,
  );
  check('a confirmation pays', BigInt(now.paid) > BigInt(confirmed.paid));
}

async function handOver(story: Story, old: Lease): Promise<string> {
  const { world, say } = story;
  const [ada] = world.users;
  const [aurora, boreal, cirrus, delta] = world.providers;
  say('\n3. A provider leaves, and the shop stays open');
  await boreal.announceLeave(old.number);
  const { leaveHeight } = await lease(world.client, old.number);
  say(
    `  Boreal will switch off and says so ${blocks.notice} blocks before, for block ${leaveHeight}. At once a new order opens; Boreal is excluded.`,
  );
  const next = await openOrder(ada);
  check('the new order replaces the lease', next.replaces === old.number);
  await bids(next, [[aurora, '90'] as const, [cirrus, '85'] as const, [delta, '88'] as const]);
  await showBook(story, next);
  const made = await leaseOf(world.client, next);
  say(
    `  block ${made.createdHeight}: lease ${made.number} goes to ${providerOf(story, made.provider).name}. Until it runs, both serve.`,
  );
  const before = await lease(world.client, old.number);
  check('both leases live', before.state === LeaseState.LEASE_STATE_ACTIVE && made.provider === cirrus.address);
  await cirrus.serve(made.number);
  const ended = await over(world.client, old.number);
  boreal.drop(old.number);
  say(
    `  block ${ended.closedHeight}: Cirrus says "it runs", and in that block Boreal's lease ends (${wordOf(CloseReason, ended.closeReason)}).`,
  );
  say(`  Boreal was paid up to there and has its ${coins(ended.collateral)} of collateral back.`);
  check('the old lease ends by notice', ended.closeReason === CloseReason.CLOSE_REASON_PROVIDER_NOTICE);
  return 'Cirrus';
}

async function bobOrders(story: Story): Promise<Lease> {
  const { world, say } = story;
  const [, bob] = world.users;
  const [, , , delta, echo] = world.providers;
  say('\n4. A provider that stays away');
  say('  Bob wants a server for his blog: at most 60 umu per block, 3,000 MU of collateral. Echo bids 40, Delta 55.');
  const blog = await order(bob, { name: 'blog', highest: '60', collateral: '3000000000', deposit: '40000' });
  await bids(blog, [[echo, '40'] as const, [delta, '55'] as const]);
  const won = await leaseOf(world.client, blog);
  check('Echo wins', won.provider === echo.address);
  const first = await echo.confirm(won.number);
  say(`  Echo wins lease ${won.number}, confirms in block ${first.height} … and is not heard of any more.`);
  return won;
}

async function brokenLease(story: Story, { number }: Lease): Promise<string> {
  const { world, say } = story;
  const [, bob] = world.users;
  const [, , , delta] = world.providers;
  const { confirmBy } = await lease(world.client, number);
  const before = await world.client.balance(bob.address, denom);
  const ended = await over(world.client, number);
  const toUser = (await world.client.balance(bob.address, denom)) - before;
  const burnt = BigInt(ended.collateral) - toUser;
  say(
    `  It had until block ${confirmBy}. Block ${ended.closedHeight} itself begins with breaking the lease (${wordOf(CloseReason, ended.closeReason)}):`,
  );
  say(
    `  of its ${coins(ended.collateral)} Bob gets ${coins(toUser)}, ${coins(burnt)} are burnt. Blocks that Echo did not confirm are not paid.`,
  );
  check('the lease is broken', ended.state === LeaseState.LEASE_STATE_BROKEN);
  check('80 % of the collateral are the user’s', toUser === (BigInt(ended.collateral) * 8n) / 10n);
  const again = await openOrder(bob);
  await bids(again, [[delta, '55'] as const]);
  const rescued = await leaseOf(world.client, again);
  await delta.serve(rescued.number);
  say(
    `  The blog is to persist, so a new order opened in the same block. Delta takes it: lease ${rescued.number}, ${Dec.fromAtomics(rescued.pricePerBlock).toPlain()} umu per block.`,
  );
  return 'Echo';
}

async function verifyBills(story: Story): Promise<void> {
  const { world, say } = story;
  say('\n5. Bills that need no trust');
  const views = await lightClient(world);
  for (const user of world.users) {
    const { leases, amount } = await verifiedBill(views, world, user);
    const lines = leases.reduce((sum, one) => sum + one.lines, 0);
    const reports = leases.reduce((sum, one) => sum + one.reports, 0);
    say(
      `  ${user.name}: ${counted(leases.length, 'lease')}, ${counted(lines, 'line')}, ${counted(reports, 'signed report')}, recomputed from proved records: ${coins(amount)}, which is what`,
    );
    say('    the escrow has spent. Every line chains to a hash that the light client has proved.');
  }
}

/** Both users end what they have; what is left of the escrows returns after the window for late reports. */
async function farewell(story: Story): Promise<void> {
  const { world, say } = story;
  const { client, users, providers } = world;
  say('\n6. The end');
  for (const provider of providers) provider.drop();
  for (const user of users) await cancel(user);
  const ends = await Promise.all(users.map((user) => lastLease(story, user)));
  for (const [at, ended] of ends.entries()) {
    const interest =
      BigInt(ended.interest || '0') === 0n ? '' : ` and ${coins(ended.interest)} of interest on it, newly minted`;
    say(
      `  ${users[at]?.name} cancels: ${providerOf(story, ended.provider).name} has its ${coins(ended.collateral)} back${interest}.`,
    );
  }
  const last = ends.reduce((height, { closedHeight }) => (closedHeight > height ? closedHeight : height), 0n);
  await until(client, last + blocks.window + 2n);
  say(
    `  ${blocks.window} blocks later, when late reports are over, what is left of the escrows has returned to Ada and Bob.`,
  );
}

async function lastLease({ world }: Story, user: Actor): Promise<Lease> {
  const { leases } = await world.client.market.leases({ owner: user.address });
  const number = leases.reduce((most, one) => (one.number > most ? one.number : most), 0n);
  return over(world.client, number);
}
