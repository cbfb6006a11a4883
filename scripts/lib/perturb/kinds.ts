/** What can happen to a node. Each kind leaves it running again; what follows waits until it has caught up. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Localnet, NodeLayout } from '../localnet/layout.ts';
import { startTogether, untilHeight } from '../localnet/network.ts';
import { killNode, pauseNode, programsOf, resumeNode, startPrograms, stopNode, wipeNode } from '../localnet/node.ts';
import { killProgram, signal } from '../localnet/processes.ts';
import { startByStateSync } from '../localnet/state-sync.ts';
import { type Random, shuffled } from './random.ts';

export interface Scene {
  readonly net: Localnet;
  readonly cometbft: string;
  readonly victim: NodeLayout;
  /** how long it is away, in milliseconds */
  readonly awayMs: number;
  /** gives up in the middle */
  readonly signal?: AbortSignal | undefined;
}

export interface Perturbation {
  readonly what: string;
  /** all nodes are away at once: the chain stands still meanwhile, and goes on when most are back */
  readonly stopsChain?: true;
  /** the victim loses its blocks and fetches them from the others, or begins later than they */
  readonly losesBlocks?: true;
  readonly apply: (scene: Scene) => Promise<void>;
}

/** Blocks between two snapshots of each node, for those that come back by state sync. */
export const snapshotInterval = 8;

const start = ({ net, victim, cometbft, signal }: Scene): Promise<void> => startPrograms(net, victim, cometbft, signal);

const stayAway = ({ awayMs, signal }: Scene): Promise<void> => pause(awayMs, undefined, { ...(signal && { signal }) });

/** An application that died takes its engine along, which may hang: operators end it and start both. */
async function startAgain(scene: Scene): Promise<void> {
  await stayAway(scene);
  await killNode(scene.net, scene.victim);
  await start(scene);
}

export const perturbations = {
  'kill-node': {
    what: 'kill -9 of both programs',
    apply: async (scene) => {
      await killNode(scene.net, scene.victim);
      await startAgain(scene);
    },
  },
  'kill-app': {
    what: 'kill -9 of mud',
    apply: async (scene) => {
      await killProgram(programsOf(scene.net, scene.victim).app);
      await startAgain(scene);
    },
  },
  'kill-engine': {
    what: 'kill -9 of cometbft',
    apply: async (scene) => {
      await killProgram(programsOf(scene.net, scene.victim).engine);
      await startAgain(scene);
    },
  },
  'new-engine': {
    what: 'kill -9 of cometbft, another one over the same mud',
    apply: async (scene) => {
      await killProgram(programsOf(scene.net, scene.victim).engine);
      await stayAway(scene);
      await start(scene);
    },
  },
  'kill-all': {
    what: 'kill -9 of every node at once',
    stopsChain: true,
    apply: async ({ net, cometbft, signal }) => {
      await Promise.all(net.nodes.map((node) => killNode(net, node)));
      await startTogether(net, net.nodes, cometbft, signal);
    },
  },
  pause: {
    what: 'SIGSTOP of both programs, SIGCONT later',
    apply: async (scene) => {
      pauseNode(scene.net, scene.victim);
      await stayAway(scene);
      resumeNode(scene.net, scene.victim);
    },
  },
  'pause-app': {
    what: 'SIGSTOP of mud alone, SIGCONT later',
    apply: async (scene) => {
      const { app } = programsOf(scene.net, scene.victim);
      signal(app, 'SIGSTOP');
      await stayAway(scene);
      signal(app, 'SIGCONT');
    },
  },
  restart: {
    what: 'SIGTERM of both programs, then started again',
    apply: async (scene) => {
      await stopNode(scene.net, scene.victim);
      await stayAway(scene);
      await start(scene);
    },
  },
  wipe: {
    what: 'kill -9, all data thrown away, back by block sync',
    losesBlocks: true,
    apply: async (scene) => {
      await killNode(scene.net, scene.victim);
      wipeNode(scene.net, scene.victim);
      await start(scene);
    },
  },
  'state-sync': {
    what: 'kill -9, all data thrown away, back by a snapshot of the others',
    losesBlocks: true,
    apply: async ({ net, cometbft, victim, signal }) => {
      // A snapshot is of use when the two blocks after it are there: they hold its hash and the validators.
      await untilHeight(net, snapshotInterval + 3, { signal });
      await killNode(net, victim);
      wipeNode(net, victim);
      await startByStateSync(net, victim, cometbft, signal);
    },
  },
} as const satisfies Readonly<Record<string, Perturbation>>;

export type Kind = keyof typeof perturbations;
export const kinds = Object.keys(perturbations) as Kind[];

export interface Step {
  readonly kind: Kind;
  /** index of the node */
  readonly victim: number;
  /** before it happens: so that it hits any part of a height */
  readonly waitMs: number;
  readonly awayMs: number;
}

/**
 * What happens, in order: each kind comes once before one comes twice. The first node never loses its blocks: the others
 * fetch them from it, and the proof at the end begins with the first block.
 */
export function planSteps(random: Random, rounds: number, nodes: number, chosen: readonly Kind[] = kinds): Step[] {
  const steps: Step[] = [];
  let deck: Kind[] = [];
  while (steps.length < rounds) {
    if (deck.length === 0) deck = shuffled(random, chosen);
    const kind = deck.pop() as Kind;
    const { losesBlocks }: Perturbation = perturbations[kind];
    steps.push({
      kind,
      victim: losesBlocks === true ? 1 + random.below(nodes - 1) : random.below(nodes),
      waitMs: 500 + random.below(2000),
      awayMs: random.below(4000),
    });
  }
  return steps;
}
