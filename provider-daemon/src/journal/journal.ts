/**
 * What the daemon must know after `kill -9` and cannot ask the chain for: which manifests it holds, what leases have used
 * and have not yet been billed for, and what was started for them. One LMDB environment; a transaction is written whole
 * or not at all, and lasts when it returns.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { fromBase64, toBase64 } from '@mu/lib/bytes';
import { UsageReport } from '@mu/proto/billing';
import { open } from 'lmdb';
import * as z from 'zod';
import type { Quantity } from '../usage/counters.ts';
import type { UsageState } from '../usage/report.ts';
import { createTable, JournalError, numberKey, type Table, type TableForm } from './table.ts';

export { JournalError, type Table } from './table.ts';

/** A deployment's manifest of a revision; the chain is the journal's. */
export interface ManifestKey {
  readonly owner: string;
  readonly dseq: bigint;
  readonly revision: bigint;
}

/** A manifest that is held. */
export interface ManifestRecord extends ManifestKey {
  /** Name of its folder in the manifest store. */
  readonly folder: string;
  /** 32 bytes, as on the chain. */
  readonly version: Uint8Array;
  /** Infrastructures whose keys and files are held: what can be started here. Of the others pieces may be missing. */
  readonly infrastructures: readonly string[];
  /**
   * Providers that have given something of it, in that order; none where its user gave all. Absent where that is not known: an
   * entry of an older version, or a crash right after its first bytes.
   */
  readonly from?: readonly string[];
  /** All leases here are over: it is erased at this height, and kept for its peers until then. */
  readonly eraseAt?: bigint;
}

/** What was started for a lease. */
export interface LeaseRecord {
  readonly lease: bigint;
  /** Of its deployment. */
  readonly owner: string;
  readonly dseq: bigint;
  /** Revision of the manifest that runs; 0 for none. */
  readonly revision: bigint;
  readonly endpoints: readonly string[];
}

/** A public port that a connection of a lease has. */
export interface PortRecord {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly lease: bigint;
  readonly service: string;
  /** Name of the connection. */
  readonly connection: string;
}

/** Whose journal it is: one of another chain or node is refused, since its reports would be wrong. */
export interface JournalOwner {
  readonly chainId: string;
  readonly provider: string;
  readonly nodeId: string;
}

export interface Journal {
  readonly manifests: Table<ManifestKey, ManifestRecord>;
  /** By the number of the lease. */
  readonly usage: Table<bigint, UsageState>;
  readonly leases: Table<bigint, LeaseRecord>;
  readonly ports: Table<Pick<PortRecord, 'protocol' | 'port'>, PortRecord>;
  /** All writes of `work` together, or none when it throws. */
  atomically<T>(work: () => T): T;
  /** From here on it is another node's. */
  handOver(to: JournalOwner): void;
  close(): Promise<void>;
}

/** Version of what stands in the files. */
const format = 3;

/** Opens the journal, or makes it. @throws JournalError when it is of another chain, node or version */
export function openJournal(folder: string, owner: JournalOwner): Journal {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Without overlapping sync a commit returns when the disk has it.
  const root = open<string, string>({ path: folder, encoding: 'string', overlappingSync: false, maxDbs: 8 });
  const meta = metaOf(owner);
  const found = root.get('owner');
  if (found !== undefined && found !== meta) {
    root.close();
    throw new JournalError(
      `the journal in ${folder} belongs to ${found}, not to ${meta}; choose another data folder, or finish \`mu-provider rotate node --yes\` where that was begun`,
    );
  }
  if (found === undefined) root.putSync('owner', meta);
  const table = <K, V>(form: TableForm<K, V>): Table<K, V> =>
    createTable(root.openDB<string, string>({ name: form.name, encoding: 'string' }), form);
  return {
    manifests: table(manifestForm),
    usage: table(usageForm),
    leases: table(leaseForm),
    ports: table(portForm),
    atomically: (work) => root.transactionSync(work),
    handOver: (to) => root.putSync('owner', metaOf(to)),
    close: () => root.close(),
  };
}

function metaOf({ chainId, provider, nodeId }: JournalOwner): string {
  return JSON.stringify({ format, chain_id: chainId, provider, node_id: nodeId });
}

/** The id of the node whose journal a folder holds; undefined where there is none. */
export function journalNode(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const root = open<string, string>({ path: folder, encoding: 'string', maxDbs: 8 });
  const found = root.get('owner');
  void root.close();
  return found === undefined ? undefined : (JSON.parse(found) as { node_id: string }).node_id;
}

const integer = z.string().regex(/^(0|[1-9]\d*)$/);
const base64 = z.string().transform((text) => fromBase64(text));

const manifestSchema = z.strictObject({
  owner: z.string(),
  dseq: integer.transform(BigInt),
  revision: integer.transform(BigInt),
  folder: z.string().regex(/^[0-9a-f]{32}$/),
  version: base64,
  infrastructures: z.array(z.string()),
  from: z.array(z.string()).optional(),
  erase_at: integer.transform(BigInt).optional(),
});

const manifestForm: TableForm<ManifestKey, ManifestRecord> = {
  name: 'manifests',
  key: ({ owner, dseq, revision }) => `${owner}/${numberKey(dseq)}/${numberKey(revision)}`,
  write: ({ owner, dseq, revision, folder, version, infrastructures, from, eraseAt }) => ({
    owner,
    dseq: String(dseq),
    revision: String(revision),
    folder,
    version: toBase64(version),
    infrastructures,
    ...(from === undefined ? {} : { from }),
    ...(eraseAt === undefined ? {} : { erase_at: String(eraseAt) }),
  }),
  read: (value) => {
    const { erase_at: eraseAt, from, ...record } = manifestSchema.parse(value);
    return { ...record, ...(from === undefined ? {} : { from }), ...(eraseAt === undefined ? {} : { eraseAt }) };
  },
};

const quantities = z.array(
  z.strictObject({ service: z.string(), metric: z.string(), quantity: integer.transform(BigInt) }),
);
const written = (items: readonly Quantity[]) =>
  items.map(({ service, metric, quantity }) => ({ service, metric, quantity: String(quantity) }));

const usageSchema = z.strictObject({
  sequence: integer.transform(BigInt),
  to_height: integer.transform(BigInt),
  counted: quantities,
  seen: quantities,
  pending: z.strictObject({ report: base64, signature: base64 }).optional(),
});

const usageForm: TableForm<bigint, UsageState> = {
  name: 'usage',
  key: numberKey,
  write: ({ sequence, toHeight, counted, seen, pending }) => ({
    sequence: String(sequence),
    to_height: String(toHeight),
    counted: written(counted),
    seen: written(seen),
    ...(pending === undefined
      ? {}
      : {
          pending: {
            report: toBase64(UsageReport.encode(pending.report).finish()),
            signature: toBase64(pending.signature),
          },
        }),
  }),
  read: (value) => {
    const { sequence, to_height, counted, seen, pending } = usageSchema.parse(value);
    return {
      sequence,
      toHeight: to_height,
      counted,
      seen,
      pending:
        pending === undefined
          ? undefined
          : { report: UsageReport.decode(pending.report), signature: pending.signature },
    };
  },
};

const leaseSchema = z.strictObject({
  lease: integer.transform(BigInt),
  owner: z.string(),
  dseq: integer.transform(BigInt),
  revision: integer.transform(BigInt),
  endpoints: z.array(z.string()),
});

const leaseForm: TableForm<bigint, LeaseRecord> = {
  name: 'leases',
  key: numberKey,
  write: ({ lease, owner, dseq, revision, endpoints }) => ({
    lease: String(lease),
    owner,
    dseq: String(dseq),
    revision: String(revision),
    endpoints,
  }),
  read: (value) => leaseSchema.parse(value),
};

const portSchema = z.strictObject({
  protocol: z.enum(['tcp', 'udp']),
  port: z.int().min(1).max(65_535),
  lease: integer.transform(BigInt),
  service: z.string(),
  connection: z.string(),
});

const portForm: TableForm<Pick<PortRecord, 'protocol' | 'port'>, PortRecord> = {
  name: 'ports',
  key: ({ protocol, port }) => `${protocol}/${numberKey(BigInt(port))}`,
  write: ({ lease, ...rest }) => ({ ...rest, lease: String(lease) }),
  read: (value) => portSchema.parse(value),
};
