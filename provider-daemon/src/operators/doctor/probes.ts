/** How the doctor looks at the machine, the chain and the daemon; tests give their own eyes. Every probe may throw. */
import type { PriceList } from '@mu/proto/provider';
import type { Identity } from '../../identity/identity.ts';
import type { DeviceFile } from '../../workloads/container/devices.ts';
import type { Balances, NodeFacts, Registry } from '../facts.ts';
import type { StatusReport } from '../view.ts';

export interface NodeLink extends NodeFacts {
  readonly chainId: string;
  /** the clock of the machine behind the RPC address, milliseconds since 1970, and how exact; absent where it tells none */
  readonly clock?: { readonly ms: number; readonly withinMs: number };
}

/** What this provider's own entries say, and its money. */
export interface ChainEntries extends Registry {
  /** the latest; undefined where none is published */
  readonly priceList: PriceList | undefined;
  readonly balances: Balances;
  /** what a registration locks, in the base denomination */
  readonly deposit: bigint;
}

export interface EngineLook {
  readonly apiVersion: string;
  readonly version: string;
  readonly seccomp: boolean;
  /** 1 or 2 */
  readonly cgroupVersion: string;
  readonly storageDriver: string;
  /** memory limits are kept */
  readonly memoryLimit: boolean;
  readonly pidsLimit: boolean;
  /** where it keeps images, and what is free there; undefined where that cannot be seen from here */
  readonly rootFolder: string;
  readonly freeBytes: bigint | undefined;
  /** containers run on while the engine restarts */
  readonly liveRestore: boolean;
  /** runtimes by name, ascending */
  readonly runtimes: readonly string[];
  /** containers that ask for no runtime get one of NVIDIA's */
  readonly nvidiaForAll: boolean;
}

export type PortState = 'free' | 'taken' | { readonly refused: string };

export interface Probes {
  /** milliseconds since 1970 */
  now(): number;
  /** the daemon of this data folder; undefined where none runs */
  daemon(): Promise<StatusReport | undefined>;
  /** permission bits of a file; undefined where it is not there */
  mode(path: string): Promise<number | undefined>;
  /** the password opens the key, whose address this is */
  unlock(key: string): Promise<string>;
  identity(): Promise<Identity>;
  node(): Promise<NodeLink>;
  /** the newest proved block: height and the time in its header */
  provedBlock(): Promise<{ readonly height: number; readonly blockTimeMs: number }>;
  entries(owner: string, operator: string, nodeId: string): Promise<ChainEntries>;
  /** whether somebody listens there, or could */
  port(address: string, port: number): Promise<PortState>;
  /** SHA-256 of the certificate that answers at an https:// address, hex */
  tlsFingerprint(uri: string): Promise<string>;
  /** status of what answers at an http(s):// address */
  httpStatus(uri: string): Promise<number>;
  /** end of the first certificate of a PEM file, milliseconds since 1970 */
  certificateEnd(file: string): Promise<number>;
  engine(socket: string): Promise<EngineLook>;
  /** what a program prints. @throws Error where it is missing or fails */
  run(program: string, args: readonly string[]): Promise<string>;
  /** writes a file there and removes it. @throws Error of the file system */
  writable(folder: string): Promise<void>;
  freeBytes(folder: string): Promise<bigint>;
  /** opens the journal and closes it. @throws JournalError */
  journal(identity: Identity): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** undefined where there is no character device */
  device(path: string): Promise<DeviceFile | undefined>;
  /** of the daemon where it runs, else of this process */
  openFiles(pid: number | 'self'): Promise<{ readonly soft?: number; readonly hard?: number }>;
  isolation(): Promise<{
    readonly networkNamespace: boolean;
    readonly uid: number | undefined;
    readonly description: string;
  }>;
  /** somebody listens at a Unix socket; undefined: the system does not tell */
  listens(path: string): Promise<boolean | undefined>;
  isRoot(): boolean;
}
