/** Ways through a tree: by key, in order, and the path that a proof is made of. Nothing is changed. */
import { innerHash, leafHash, type Node } from './node.ts';
import type { NodeSource } from './node-cache.ts';

export function leftOf(source: NodeSource, node: Node): Node {
  return node.left ?? source.node(node.leftId);
}

export function rightOf(source: NodeSource, node: Node): Node {
  return node.right ?? source.node(node.rightId);
}

/** The leaf of a key; undefined when it is absent. */
export function findLeaf(source: NodeSource, root: Node, key: string): Node | undefined {
  let node = root;
  while (node.height > 0) node = key < node.key ? leftOf(source, node) : rightOf(source, node);
  return node.key === key ? node : undefined;
}

/** The hash of a stored node. */
export function hashOf(node: Node): Uint8Array {
  if (node.height === 0) return leafHash(node.key, node.value as Uint8Array, node.version);
  return innerHash(node.height, node.size, node.version, node.hashes as Uint8Array);
}

/** Leaves with low ≤ key < high (no bound where undefined), ascending or descending. */
export function* leavesBetween(
  source: NodeSource,
  root: Node,
  bounds: { readonly low?: string | undefined; readonly high?: string | undefined; readonly reverse?: boolean },
): IterableIterator<Node> {
  const { low, high, reverse = false } = bounds;
  const waiting: Node[] = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (node.height === 0) {
      if ((low === undefined || node.key >= low) && (high === undefined || node.key < high)) yield node;
      continue;
    }
    // The left child has keys below the node's, the right one from it on.
    const left = low === undefined || low < node.key ? leftOf(source, node) : undefined;
    const right = high === undefined || high > node.key ? rightOf(source, node) : undefined;
    const [first, second] = reverse ? [right, left] : [left, right];
    if (second !== undefined) waiting.push(second);
    if (first !== undefined) waiting.push(first);
  }
}

/** A step down from an inner node. */
export interface Step {
  readonly node: Node;
  readonly toLeft: boolean;
}

/** The way from the root to where a key stands, or would stand: the steps, and the leaf they end at. */
export function pathTo(source: NodeSource, root: Node, key: string): { readonly steps: Step[]; readonly leaf: Node } {
  const steps: Step[] = [];
  let node = root;
  while (node.height > 0) {
    const toLeft = key < node.key;
    steps.push({ node, toLeft });
    node = toLeft ? leftOf(source, node) : rightOf(source, node);
  }
  return { steps, leaf: node };
}

/** All nodes, children before their parent and left before right: the order of cosmos/iavl's exporter. */
export function* postOrder(source: NodeSource, root: Node): IterableIterator<Node> {
  const waiting: { readonly node: Node; expanded: boolean }[] = [{ node: root, expanded: false }];
  for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
    if (top.expanded || top.node.height === 0) {
      waiting.pop();
      yield top.node;
      continue;
    }
    top.expanded = true;
    waiting.push({ node: rightOf(source, top.node), expanded: false });
    waiting.push({ node: leftOf(source, top.node), expanded: false });
  }
}
