/** What a local network is: one file in its home names the nodes, their ports and their folders. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** More would only be slow: each is two programs. */
export const maxValidators = 16;

export interface NodeLayout {
  /** node0, node1, … */
  readonly name: string;
  /** CometBFT's id of the node */
  readonly nodeId: string;
  /** upper-case hex */
  readonly validator: string;
  readonly ports: { readonly abci: number; readonly rpc: number; readonly p2p: number };
}

/** How long the engine waits, in milliseconds: what the duration of a height is made of. */
export interface Timeouts {
  readonly proposeMs: number;
  readonly voteMs: number;
  /** how much the others grow with each round */
  readonly deltaMs: number;
  readonly commitMs: number;
}

export interface Localnet {
  readonly home: string;
  readonly chainId: string;
  readonly timeouts: Timeouts;
  readonly nodes: readonly NodeLayout[];
  /** an account with coins in the genesis; its words stand in `faucet.json` */
  readonly faucet: string;
}

const layoutFile = (home: string): string => join(home, 'localnet.json');

export const hasLocalnet = (home: string): boolean => existsSync(layoutFile(home));

/** @throws Error that says how to make one */
export function readLocalnet(home: string): Localnet {
  if (!hasLocalnet(home)) {
    throw new Error(`${home} holds no local network: make one with \`./scripts/localnet up --home ${home}\``);
  }
  return { ...(JSON.parse(readFileSync(layoutFile(home), 'utf8')) as Omit<Localnet, 'home'>), home };
}

/** Written last, when all else of a new network is there. */
export function writeLocalnet({ home, ...rest }: Localnet): void {
  const file = layoutFile(home);
  writeFileSync(`${file}.new`, `${JSON.stringify(rest, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** @throws Error that names those there are */
export function nodeOf(net: Localnet, name: string): NodeLayout {
  const node = net.nodes.find((one) => one.name === name);
  if (node === undefined) {
    throw new Error(
      `there is no node "${name}": the nodes of this network are ${net.nodes.map((one) => one.name).join(', ')}`,
    );
  }
  return node;
}

/** The folder of a node: `mud` and `cometbft` share it as in any Cosmos chain, each with its own files. */
export const nodeHome = (net: Localnet, node: NodeLayout): string => join(net.home, node.name);

export const rpcOf = (node: NodeLayout): string => `http://127.0.0.1:${node.ports.rpc}`;

/** A node's log files. */
export const logsOf = (net: Localnet, node: NodeLayout): { readonly app: string; readonly engine: string } => ({
  app: join(nodeHome(net, node), 'mud.log'),
  engine: join(nodeHome(net, node), 'cometbft.log'),
});

/** Where the words of the account with coins stand. */
export const faucetFile = (home: string): string => join(home, 'faucet.json');
