/** The differential run: the same seeded operations for a tree of ours and for cosmos/iavl, compared version by version. */
import { createHash } from 'node:crypto';
import { equalBytes, fromHex, toBase64, toHex } from '@mu/lib/bytes';
import { GoProgram } from './go-program.ts';
import type { Subject } from './subjects.ts';
import { type Operation, Traffic } from './traffic.ts';

export interface RunOptions {
  /** sets and removals, at least */
  readonly ops: number;
  readonly seed: number;
  /** path of the Go program */
  readonly program: string;
  /** versions kept beside the last */
  readonly keep?: number;
  /** told now and then */
  readonly progress?: (done: RunResult) => void;
}

/** What was done and found equal. */
export interface RunResult {
  readonly ops: number;
  readonly versions: number;
  readonly reloads: number;
  readonly prunings: number;
  readonly rollbacks: number;
  readonly discarded: number;
  readonly proofs: number;
  /** trees whose nodes were compared one by one */
  readonly shapes: number;
}

interface Saved {
  readonly version: number;
  readonly root: string;
  readonly size: number;
  readonly existed: number;
}

/** Different accounts that the operations meet. */
const accounts = 12_000;
/** How often something happens: once in so many versions. */
const rates = { discard: 12, reload: 15, prune: 12, rollback: 30, queries: 4, shape: 25 };
const versionsBetweenProgress = 200;

export class DifferentialRun {
  readonly #subject: Subject;
  readonly #go: GoProgram;
  readonly #options: Required<RunOptions>;
  readonly #model = new Map<string, Uint8Array>();
  readonly #traffic: Traffic;
  /** whether the operations of the version under way are taken one after another */
  #inOrder = false;
  #first = 1;
  /** the highest version that there ever was: the state of a node may have pruned by itself what is older than it keeps */
  #highest = 0;
  readonly #done = { ops: 0, versions: 0, reloads: 0, prunings: 0, rollbacks: 0, discarded: 0, proofs: 0, shapes: 0 };

  constructor(subject: Subject, options: RunOptions) {
    this.#subject = subject;
    this.#options = { keep: 30, progress: () => undefined, ...options };
    this.#go = new GoProgram(options.program, ['serve']);
    this.#traffic = new Traffic(options.seed, this.#model, accounts);
  }

  /** @throws Error at the first difference, with the seed that leads to it */
  async run(): Promise<RunResult> {
    const { ops, seed, progress } = this.#options;
    try {
      while (this.#done.ops < ops) {
        await this.#version(ops - this.#done.ops);
        await this.#between();
        if (this.#done.versions % versionsBetweenProgress === 0) progress({ ...this.#done });
      }
      await this.#compareShape(this.#subject.last);
      const nodes = await this.#subject.nodesLeft();
      this.#same('nodes left when only the last version is kept', nodes, Math.max(0, 2 * this.#model.size - 1));
      await this.#compareShape(this.#subject.last);
      return { ...this.#done };
    } catch (error) {
      const where = `seed ${seed}, after ${this.#done.ops} operations and ${this.#done.versions} versions, version ${this.#subject.last}`;
      throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
    } finally {
      await this.#go.close();
    }
  }

  async #version(most: number): Promise<void> {
    const { random } = this.#traffic;
    // One after another in any order, or as a block's: sorted, each key once.
    this.#inOrder = this.#subject.takesAnyOrder && random.once(2);
    if (random.once(rates.discard)) await this.#discard();
    const operations = this.#arranged(this.#traffic.version(most));
    await this.#go.tell(linesOf(operations));
    const answered = this.#go.ask('c') as Promise<Saved>;
    const existed = this.#subject.apply(operations, this.#inOrder);
    const hash = this.#subject.save();
    const saved = await answered;
    this.#same('version', this.#subject.last, saved.version);
    this.#same('root', toHex(hash), toHex(this.#subject.expected(fromHex(saved.root))));
    if (existed !== undefined) this.#same('keys that existed', existed, saved.existed);
    for (const { key, value } of operations) {
      if (value === undefined) this.#model.delete(key);
      else this.#model.set(key, value);
    }
    this.#highest = Math.max(this.#highest, saved.version);
    this.#same('size', this.#model.size, saved.size);
    this.#done.ops += operations.length;
    this.#done.versions += 1;
  }

  #arranged(operations: readonly Operation[]): readonly Operation[] {
    if (this.#inOrder) return operations;
    const last = new Map(operations.map((operation) => [operation.key, operation]));
    return [...last.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async #discard(): Promise<void> {
    const operations = this.#arranged(this.#traffic.version(1000));
    await this.#go.tell(`${linesOf(operations)}r\n`);
    this.#subject.discard(operations, this.#inOrder);
    this.#done.discarded += operations.length;
  }

  async #between(): Promise<void> {
    const { random } = this.#traffic;
    const { keep } = this.#options;
    if (random.once(rates.reload)) await this.#reload();
    if (random.once(rates.prune) && this.#subject.last - keep > this.#first && this.#subject.last === this.#highest)
      await this.#prune();
    if (random.once(rates.rollback)) await this.#goBack();
    if (random.once(rates.queries)) await this.#query();
    if (random.once(rates.shape)) await this.#compareShape(this.#anyVersion());
  }

  async #reload(): Promise<void> {
    await this.#subject.reload();
    const { version } = (await this.#go.ask('l')) as Saved;
    this.#same('version after a reload', this.#subject.last, version);
    this.#done.reloads += 1;
  }

  async #prune(): Promise<void> {
    const first = this.#subject.last - this.#options.keep;
    await this.#subject.prune(this.#options.keep);
    const answer = (await this.#go.ask(`p ${first - 1}`)) as { readonly first: number };
    this.#same('first version', first, answer.first);
    this.#first = first;
    this.#done.prunings += 1;
  }

  /** Back to one of the last versions for good. */
  async #goBack(): Promise<void> {
    const { last } = this.#subject;
    const version = Math.max(this.#oldest(), last - this.#traffic.random.next(5));
    if (version === last) return;
    await this.#subject.goBackTo(version);
    const answer = (await this.#go.ask(`o ${version}`)) as Saved;
    this.#same('version after going back', this.#subject.last, answer.version);
    this.#model.clear();
    for (const [key, value] of this.#subject.pairs(version)) this.#model.set(toHex(key), value);
    this.#done.rollbacks += 1;
  }

  /** The first version that both sides keep. */
  #oldest(): number {
    return Math.max(this.#first, this.#highest - this.#options.keep);
  }

  #anyVersion(): number {
    const { last } = this.#subject;
    return last - this.#traffic.random.next(last - this.#oldest() + 1);
  }

  async #query(): Promise<void> {
    const version = this.#anyVersion();
    // Heights from 2 on are proved (the SDK's rule).
    if (version < 2) return;
    for (let count = 0; count < 6; count += 1) {
      const key = this.#traffic.key();
      const answer = (await this.#go.ask(`q ${version} ${key}`)) as { value: string | null; proof: string | null };
      const bytes = fromHex(key);
      const value = this.#subject.get(version, bytes);
      const what = `of ${key} at version ${version}`;
      this.#same(`value ${what}`, value === undefined ? null : toHex(value), answer.value);
      if (version === this.#subject.last) this.#same(`value ${what}`, value, this.#model.get(key));
      if (answer.proof !== null)
        this.#same(`proof ${what}`, toBase64(this.#subject.prove(version, bytes)), answer.proof);
      this.#done.proofs += 1;
    }
  }

  /** Every node of a version, in the exporter's order. */
  async #compareShape(version: number): Promise<void> {
    const answer = (await this.#go.ask(`x ${version}`)) as { nodes: number; digest: string };
    const digest = createHash('sha256');
    let nodes = 0;
    for (const node of this.#subject.nodes(version)) {
      const value = node.value === undefined ? '-' : toHex(node.value);
      digest.update(`${Buffer.from(node.key, 'latin1').toString('hex')} ${value} ${node.version} ${node.height}\n`);
      nodes += 1;
    }
    this.#same(`nodes of version ${version}`, nodes, answer.nodes);
    this.#same(`shape of version ${version}`, digest.digest('hex'), answer.digest);
    this.#done.shapes += 1;
  }

  #same(what: string, ours: unknown, go: unknown): void {
    const equal = ours instanceof Uint8Array && go instanceof Uint8Array ? equalBytes(ours, go) : ours === go;
    if (!equal) throw new Error(`${what}: ${show(ours)}, in Go ${show(go)}`);
  }
}

const show = (value: unknown): string => (value instanceof Uint8Array ? toHex(value) : String(value));

function linesOf(operations: readonly Operation[]): string {
  let lines = '';
  for (const { key, value } of operations) lines += value === undefined ? `d ${key}\n` : `s ${key} ${toHex(value)}\n`;
  return lines;
}
