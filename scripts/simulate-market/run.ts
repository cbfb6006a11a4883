/**
 * The simulation: chain after chain, each from a seed of its own, the application and the model side by side. A chain has
 * so many messages and is then left: what is over piles up no further, and a difference can be had again from its chain.
 */
import { Chance } from './chance.ts';
import { Comparer, compareDue, compareResult, type Difference, Different, requireSame } from './compare.ts';
import { brokenLaw } from './model/laws.ts';
import { describe, Model, type Outcome, shouted, type Transaction } from './model/model.ts';
import type { WorldOptions } from './model/world.ts';
import { type Executed, RealChain } from './real/chain.ts';
import { digestOf, type Wallet } from './real/wallets.ts';
import { chainId, makeScenario, type Scenario } from './scenario.ts';
import type { Plan, Scene } from './traffic/scene.ts';
import { nextPlan } from './traffic/traffic.ts';

export interface SimulationOptions {
  readonly messages: number;
  readonly seed: number;
  /** the chain to begin with, for a difference that is to be had again */
  readonly firstChain?: number;
  /** messages of one chain */
  readonly chainMessages?: number;
  /** invariants after every message, or in every so manieth block */
  readonly invariants?: 'message' | number;
  /** told now and then */
  readonly progress?: (done: Done) => void;
  /** another model, of tests that break one */
  readonly modelOf?: (options: WorldOptions) => Model;
}

/** What was done and found equal. */
export interface Done {
  messages: number;
  blocks: number;
  chains: number;
  refused: number;
  crashes: number;
  restarts: number;
  exports: number;
  /** what was met: `lease/4/12` is closed (4) as out of funds (12) */
  readonly met: Record<string, number>;
}

/** The first difference, and where it is. */
export interface Found extends Difference {
  readonly seed: number;
  readonly chain: number;
  readonly block: string;
  /** the last message before it was seen */
  readonly message: string;
}

/** How often something happens: once in so many blocks. */
const rates = {
  crash: 9,
  restart: 25,
  moveOn: 150,
  quiet: 15,
  silence: 250,
  compareAll: 100,
  pair: 12,
  fee: 5,
  shout: 40,
};

interface Signed {
  readonly transaction: Transaction;
  readonly raw: Uint8Array;
  /** for whoever looks for a difference */
  readonly text: () => string;
}

/** Chains of one simulation differ in everything. */
const seedOf = (seed: number, chain: number): number =>
  (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + chain * 0x27d4eb2f) >>> 0;

/** @returns what was done, or the first difference */
export function simulate(options: SimulationOptions): Done | Found {
  const { messages, seed, firstChain = 0, chainMessages = 2_500 } = options;
  const done: Done = { messages: 0, blocks: 0, chains: 0, refused: 0, crashes: 0, restarts: 0, exports: 0, met: {} };
  for (let chain = firstChain; done.messages < messages; chain += 1) {
    const most = Math.min(chainMessages, messages - done.messages);
    const found = new ChainRun(options, seedOf(seed, chain), done).run(most);
    if (found !== undefined) return { ...found, seed, chain };
    done.chains += 1;
    options.progress?.(done);
  }
  return done;
}

class ChainRun {
  readonly #options: SimulationOptions;
  readonly #done: Done;
  readonly #chance: Chance;
  readonly #scenario: Scenario;
  readonly #model: Model;
  readonly #chain: RealChain;
  readonly #comparer = new Comparer();
  readonly #scene: Scene;
  readonly #wallets: ReadonlyMap<string, Wallet>;
  readonly #everyMessage: boolean;
  #height = 0n;
  #said = (): string => 'none';

  constructor(options: SimulationOptions, seed: number, done: Done) {
    this.#options = options;
    this.#done = done;
    this.#chance = new Chance(seed);
    this.#scenario = makeScenario(this.#chance);
    const { actors, world, genesis } = this.#scenario;
    this.#model = options.modelOf?.(world) ?? new Model(world);
    this.#everyMessage = options.invariants === 'message';
    this.#chain = new RealChain(genesis, this.#everyMessage);
    const { users, providers, operators, auditors, stranger, authority, treasury } = actors;
    const wallets = [...users, ...providers, ...operators, ...auditors, stranger, authority, treasury];
    this.#wallets = new Map(wallets.map((wallet) => [wallet.address, wallet]));
    this.#scene = { chance: this.#chance, actors, world: this.#model.world, wallets };
  }

  run(messages: number): Omit<Found, 'seed' | 'chain'> | undefined {
    try {
      const end = this.#done.messages + messages;
      while (this.#done.messages < end) this.#blocks(end - this.#done.messages);
      this.#comparer.compareAll(this.#chain, this.#model.world);
      this.#meet();
      return undefined;
    } catch (error) {
      const difference = error instanceof Different ? error.difference : thrown(error);
      return { ...difference, block: `${this.#height}`, message: this.#said() };
    }
  }

  /** One block, or many without a transaction. */
  #blocks(left: number): void {
    const chance = this.#chance;
    if (chance.once(rates.quiet)) this.#quiet(chance.from(1, 3));
    if (chance.once(rates.silence)) this.#quiet(chance.from(10, 60));
    this.#block(Math.min(left, chance.pick([0, 1, 1, 2, 3, 4, 6, 9, 14])));
    if (chance.once(rates.compareAll)) this.#comparer.compareAll(this.#chain, this.#model.world);
    if (chance.once(rates.restart)) this.#restart();
    if (chance.once(rates.moveOn)) this.#moveOn();
  }

  /** Blocks without a transaction, after some time. */
  #quiet(blocks: number): void {
    this.#chain.wait(BigInt(this.#chance.from(0, 100_000)));
    for (let count = 0; count < blocks; count += 1) this.#block(0);
  }

  #block(messages: number): void {
    this.#height += 1n;
    const due = this.#model.begin(this.#height);
    const signed: Signed[] = [];
    const outcomes: Outcome[] = [];
    for (let count = 0; count < messages; ) {
      const one = this.#sign(messages - count);
      signed.push(one);
      this.#said = one.text;
      outcomes.push(this.#model.deliver(one.transaction));
      count += one.transaction.messages.length;
    }
    this.#model.end();
    const executed = this.#execute(signed.map(({ raw }) => raw));
    compareDue(executed.first, due);
    executed.results.forEach((result, at) => {
      this.#said = (signed[at] as Signed).text;
      const outcome = outcomes[at] as Outcome;
      compareResult(`transaction ${at}`, result, outcome);
      this.#noteOutcome(signed[at] as Signed, outcome);
    });
    this.#chain.commit();
    // What genesis wrote is in no block's changes.
    if (this.#height === 1n) this.#comparer.compareAll(this.#chain, this.#model.world);
    else this.#comparer.compareTouched(this.#chain, this.#model.world);
    requireSame('laws of the whole', brokenLaw(this.#model.world) ?? 'kept', 'kept');
    this.#done.messages += messages;
    this.#done.blocks += 1;
  }

  #sign(most: number): Signed {
    const said = this.#plan(most);
    const plan = this.#chance.once(rates.shout) ? { ...said, messages: said.messages.map(shouted) } : said;
    const { world } = this.#model;
    const wallet = this.#wallets.get(plan.sender) as Wallet;
    const fee = this.#chance.once(rates.fee) ? BigInt(this.#chance.below(50)) : 0n;
    const { sequence } = world.account(plan.sender);
    const raw = wallet.sign(chainId, sequence, fee, plan.messages);
    const transaction = { signer: plan.sender, fee, messages: plan.messages, hash: digestOf(raw) };
    const text = (): string => `${plan.sender}: ${plan.messages.map(describe).join(', ')}`;
    return { transaction, raw, text };
  }

  /** What somebody says; now and then two things that stand or fall together. */
  #plan(most: number): Plan {
    const plan = nextPlan(this.#scene);
    if (most < 2 || !this.#chance.once(rates.pair)) return plan;
    for (let tries = 0; tries < 8; tries += 1) {
      const other = nextPlan(this.#scene);
      if (other.sender === plan.sender) return { ...plan, messages: [...plan.messages, ...other.messages] };
    }
    return plan;
  }

  /** Executes the block, after each of its beginnings where invariants are asked of every message, and perhaps twice. */
  #execute(txs: readonly Uint8Array[]): Executed {
    this.#askInvariants();
    if (this.#everyMessage) {
      for (let end = 1; end < txs.length; end += 1) this.#chain.execute(this.#height, txs.slice(0, end));
    }
    const executed = this.#chain.execute(this.#height, txs);
    if (!this.#chance.once(rates.crash)) return executed;
    this.#done.crashes += 1;
    this.#chain.restart(this.#everyMessage);
    const again = this.#chain.execute(this.#height, txs);
    requireSame('app hash after a crash', again.appHash, executed.appHash);
    return again;
  }

  #askInvariants(): void {
    const { invariants = 200 } = this.#options;
    if (invariants === 'message') return;
    const place = this.#height % BigInt(invariants);
    if (place === 0n || place === 1n) this.#chain.restart(place === 0n);
  }

  #restart(): void {
    this.#done.restarts += 1;
    this.#chain.restart(this.#everyMessage);
  }

  #moveOn(): void {
    this.#done.exports += 1;
    const changed = this.#chain.moveOn(chainId, this.#height + 1n);
    requireSame('exports before and after an import', changed ?? 'equal', 'equal');
  }

  #noteOutcome({ transaction }: Signed, { code, codespace }: Outcome): void {
    if (code !== 0) this.#done.refused += 1;
    const what = code === 0 ? 'done' : `${codespace} ${code}`;
    for (const { typeUrl } of transaction.messages) this.#note(`${typeUrl.split('.').at(-1)} ${what}`);
  }

  #note(what: string): void {
    this.#done.met[what] = (this.#done.met[what] ?? 0) + 1;
  }

  /** Notes which states and ends were reached. */
  #meet(): void {
    const { world } = this.#model;
    const note = (what: string): void => this.#note(what);
    for (const { state, reason, interest } of world.lists.lease) {
      note(`lease/${state}/${reason}`);
      if (interest > 0n) note('interest');
    }
    for (const { state, reason, replaces } of world.lists.order) {
      note(`order/${state}/${reason}`);
      if (replaces > 0n) note('replacing order');
    }
    for (const { state, loss } of world.lists.bid) note(`bid/${state}/${loss}`);
    for (const { line } of world.lists.line)
      note(line.unpaid === '0' ? `line/${line.kind}` : `line/${line.kind}/unpaid`);
    for (const { state } of world.lists.escrow) note(`escrow/${state}`);
  }
}

/** What the application or the model threw is a difference too. */
function thrown(error: unknown): Difference {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { path: 'thrown', real: text, model: 'nothing is thrown' };
}
