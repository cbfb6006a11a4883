/**
 * A new node key. On the chain a key has an id for ever, so the machine becomes a new node: certified and entered beside the
 * old one, which is retired once it has reported all that it owes.
 */
import { join } from 'node:path';
import { toEncodeObject } from '@mu/client/chain/registry';
import { equalBytes } from '@mu/lib/bytes';
import { MsgRemoveNode, RemovalReason } from '@mu/proto/provider';
import { IdentityError, identityFiles } from '../identity/identity.ts';
import { rawPublicKey } from '../identity/keys.ts';
import {
  forgetNode,
  makeNextNode,
  nextNode,
  replacedNode,
  settleNode,
  switchNode,
} from '../identity/rotation-files.ts';
import { journalNode } from '../journal/journal.ts';
import { addNode, nodesOf } from '../setup/register.ts';
import { moveJournal } from './move-journal.ts';
import type { Rotation, RotationStep, RotationView } from './rotation.ts';

export const nodeRotation: Rotation = {
  async begin(view) {
    const { identity, around } = view;
    // Without them it would stop half way.
    for (const [key, file] of [
      [identity.rootKey, identityFiles.rootKey],
      [identity.authorityKey, identityFiles.authorityKey],
    ] as const) {
      if (key === undefined) throw new IdentityError(`put ${file} into ${identity.folder} to make a new node`);
    }
    const taken = (await nodesOf(view.client, identity.name.provider)).map((node) => node.nodeId);
    const nodeId = followingId(identity.name.nodeId, taken);
    return {
      words: `make a new node key, as node ${nodeId}, beside the old one`,
      run: async () => makeNextNode(identity, nodeId, around),
    };
  },
  async next(view) {
    const node = nextNode(view.identity);
    return node === undefined ? retire(view) : introduce(view, node);
  },
};

const maxIdLength = 64;

/** `node-1` → `node-2`, or the first after it that was never used. */
export function followingId(nodeId: string, taken: readonly string[]): string {
  const [, stem = nodeId, digits = '1'] = /^(.*?)-?(\d{1,9})$/.exec(nodeId) ?? [];
  for (let number = Number(digits) + 1; ; number += 1) {
    const tail = stem === '' ? `${number}` : `-${number}`;
    const id = `${stem.slice(0, maxIdLength - tail.length)}${tail}`;
    if (id !== nodeId && !taken.includes(id)) return id;
  }
}

type NextNode = NonNullable<ReturnType<typeof nextNode>>;

async function introduce(view: RotationView, next: NextNode): Promise<RotationStep> {
  const { identity, client, config, sender, around, height } = view;
  const owner = identity.name.provider;
  const name = { ...identity.name, nodeId: next.nodeId };
  const nodePublicKey = rawPublicKey(next.key);
  const entered = (await nodesOf(client, owner)).find(({ nodeId }) => nodeId === next.nodeId);
  if (entered === undefined) {
    return {
      words: `certify node ${next.nodeId} and enter it on the chain`,
      run: async () => {
        const message = await addNode({ client, config, owner, identity: { ...identity, name, nodePublicKey } });
        await sender.sendAndWait([message]);
      },
    };
  }
  if (!equalBytes(entered.publicKey, nodePublicKey))
    throw new Error(
      `node ${next.nodeId} stands on the chain with another key: remove identity.next.json and begin anew`,
    );
  if (height < entered.validFromHeight)
    return { words: `wait for height ${entered.validFromHeight}: from there node ${next.nodeId} holds` };
  const daemon = await view.daemon();
  if (daemon !== undefined)
    return {
      words: `wait for the daemon (process ${daemon.pid}) to end: end it with SIGTERM, the data plane serves on`,
    };
  const journal = join(config.node.dataFolder, 'journal');
  const journalOf = journalNode(journal);
  if (journalOf !== undefined && journalOf !== next.nodeId) return moveJournal(view, journal, name);
  if (identity.name.nodeId !== next.nodeId)
    return {
      words: `let this machine be node ${next.nodeId}`,
      run: () => switchNode(identity, around),
    };
  return {
    words: `put the key of node ${next.nodeId} into the place of the old one, which is not kept`,
    run: async () => settleNode(identity, around),
  };
}

async function retire(view: RotationView): Promise<RotationStep | undefined> {
  const { identity, client, sender } = view;
  const old = replacedNode(identity);
  if (old === undefined) return undefined;
  const owner = identity.name.provider;
  const node = (await nodesOf(client, owner)).find(({ nodeId }) => nodeId === old);
  if (node !== undefined && node.removedHeight === 0n) {
    const reason = RemovalReason.REMOVAL_REASON_RETIRED;
    return {
      words: `retire node ${old} on the chain`,
      run: async () => {
        await sender.sendAndWait([toEncodeObject(MsgRemoveNode, { owner, nodeId: old, reason })]);
      },
    };
  }
  return {
    words: `forget node ${old}; set node.id = "${identity.name.nodeId}" in the config, and start the daemon`,
    run: async () => forgetNode(identity),
  };
}
