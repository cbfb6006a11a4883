/** What leads from one stored version of a tree to another. */
import { equalBytes } from '@mu/lib/bytes';
import { fromMapKey } from '../store/sorted-map.ts';
import type { Node } from './node.ts';
import type { NodeSource } from './node-cache.ts';
import type { TreeRoot } from './tree.ts';
import { leftOf, rightOf } from './walk.ts';

/** A key whose value differs, with the value of the newer version; no value: it is not there. */
export interface TreeChange {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** Keys ascending. What both versions share is not looked at: the cost is that of what differs. */
export function* treeChanges(source: NodeSource, from: TreeRoot, to: TreeRoot): IterableIterator<TreeChange> {
  const older = new InOrder(source, from);
  const newer = new InOrder(source, to);
  for (;;) {
    const [a, b] = [older.top, newer.top];
    if (a === undefined && b === undefined) return;
    if (a !== undefined && a.id === b?.id) {
      older.skip();
      newer.skip();
    } else if (a !== undefined && a.height > 0 && a.height >= (b?.height ?? 0)) older.open();
    else if (b !== undefined && b.height > 0) newer.open();
    else yield* leafChange(older, newer);
  }
}

/** Both stand at a leaf, or one is at its end. */
function* leafChange(older: InOrder, newer: InOrder): IterableIterator<TreeChange> {
  const [a, b] = [older.top, newer.top];
  if (a !== undefined && (b === undefined || a.key < b.key)) {
    older.skip();
    yield { key: fromMapKey(a.key), value: undefined };
  } else if (b !== undefined) {
    newer.skip();
    const isSame = a !== undefined && a.key === b.key;
    if (isSame) older.skip();
    const before = isSame ? (a.value as Uint8Array) : undefined;
    const after = b.value as Uint8Array;
    if (before === undefined || !equalBytes(before, after)) yield { key: fromMapKey(b.key), value: after };
  }
}

/** A way through a tree in order that can leave out what is below a node. */
class InOrder {
  readonly #source: NodeSource;
  readonly #waiting: Node[];

  constructor(source: NodeSource, { id }: TreeRoot) {
    this.#source = source;
    this.#waiting = id === 0 ? [] : [source.node(id)];
  }

  get top(): Node | undefined {
    return this.#waiting.at(-1);
  }

  skip(): void {
    this.#waiting.pop();
  }

  /** Goes on to the children of the inner node that is the top. */
  open(): void {
    const node = this.#waiting.pop() as Node;
    this.#waiting.push(rightOf(this.#source, node), leftOf(this.#source, node));
  }
}
