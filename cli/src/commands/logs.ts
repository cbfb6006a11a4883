/** mucli logs LEASE, mucli deployment logs | events DSEQ: what was written and what happened, from the providers. */
import { type EventEntry, events, type LogEntry, logs } from '@mu/client/provider/provider-client';
import { wholeNumber } from '../arguments.ts';
import { usageError } from '../errors.ts';
import { followed, merged } from '../following.ts';
import { doorOf, doorsOf, type LeaseDoor, plain } from '../provider-connection.ts';
import type { Session } from '../session.ts';
import { deploymentOf, type OwnerFlag } from './status.ts';

export interface LogFlags extends OwnerFlag {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly service?: string;
  readonly stream?: readonly string[];
}

/** Before a provider that has gone is tried again. */
const againMs = 1_000;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, againMs));

/** Of one lease. */
export async function showLogs(session: Session, leaseText: string, flags: LogFlags): Promise<void> {
  await printLogs(session, [await doorOf(session, wholeNumber(leaseText, 'LEASE'))], flags);
}

/** Of all live leases of a deployment. */
export async function showDeploymentLogs(session: Session, dseqText: string, flags: LogFlags): Promise<void> {
  await printLogs(session, await doorsOf(session, await deploymentOf(session, dseqText, flags)), flags);
}

async function printLogs(session: Session, doors: readonly LeaseDoor[], flags: LogFlags): Promise<void> {
  const { service, since } = flags;
  const tail = flags.tail === undefined ? undefined : Number(wholeNumber(flags.tail, '--tail'));
  const streams = streamsOf(flags.stream ?? []);
  const wanted = { streams, ...(service === undefined ? {} : { service }) };
  const first = { ...(tail === undefined ? {} : { tail }), ...(since === undefined ? {} : { since }) };
  const all = doors.map((door) =>
    withLease(
      door,
      follow(session, door, flags.follow === true, async function* (after, follow) {
        const access = await door.access('logs');
        const from = after === undefined ? first : { after };
        yield* logs(await door.at(), { access, lease: door.lease.number, follow, ...wanted, ...from });
      }),
    ),
  );
  for await (const { lease, entry } of inOrder(all, flags.follow === true)) {
    // What a workload writes is not to steer the terminal.
    const line = { ...entry, service: plain(entry.service), line: plain(entry.line), lease };
    const whose = doors.length > 1 ? `${lease}/${line.service}` : line.service;
    session.output.result(line, () => `${line.time}  ${whose}  ${line.stream}  ${line.line}`);
  }
}

const allStreams = ['stdout', 'stderr', 'system', 'request'] as const;

function streamsOf(names: readonly string[]): LogEntry['stream'][] {
  return names.map((name) => {
    const found = allStreams.find((stream) => stream === name);
    if (found === undefined) throw usageError(`--stream: "${name}" is none; allowed: ${allStreams.join(', ')}`);
    return found;
  });
}

/** What happened to the leases of a deployment. */
export async function showEvents(
  session: Session,
  dseqText: string,
  flags: OwnerFlag & { readonly follow?: boolean },
): Promise<void> {
  const doors = await doorsOf(session, await deploymentOf(session, dseqText, flags));
  const all = doors.map((door) =>
    withLease(
      door,
      follow(session, door, flags.follow === true, async function* (after, follow) {
        const access = await door.access('read');
        const { number: lease } = door.lease;
        yield* events(await door.at(), { access, lease, follow, ...(after === undefined ? {} : { since: after }) });
      }),
    ),
  );
  for await (const { lease, entry } of inOrder(all, flags.follow === true)) {
    session.output.result({ ...entry, lease }, () => eventText(lease, entry));
  }
}

/** `2026-…  lease 7  instance-ended  service web, instance 0, reason exit code 3`. */
export function eventText(lease: bigint, { seq: _seq, time, type, ...facts }: EventEntry): string {
  const told = Object.entries(facts).map(([name, value]) => {
    const shown = Array.isArray(value) ? value.join(' ') : String(value);
    return `${name.replaceAll('_', ' ')} ${shown}`;
  });
  return plain(`${time}  lease ${lease}  ${type}  ${told.join(', ')}`).trimEnd();
}

function follow<T extends { readonly seq: number }>(
  session: Session,
  door: LeaseDoor,
  isFollowed: boolean,
  open: (after: number | undefined, follow: boolean) => AsyncIterable<T>,
): AsyncGenerator<T> {
  return followed({
    open: (after) => open(after, isFollowed),
    follow: isFollowed,
    isLive: () => door.isLive(),
    onTrouble: (reason) => session.output.step(`lease ${door.lease.number}: ${plain(reason)}; trying again`),
    pause,
  });
}

interface OfLease<T> {
  readonly lease: bigint;
  readonly entry: T;
}

async function* withLease<T>({ lease }: LeaseDoor, entries: AsyncIterable<T>): AsyncGenerator<OfLease<T>> {
  for await (const entry of entries) yield { lease: lease.number, entry };
}

/** As they come where they are followed, else by their times. */
async function* inOrder<T extends { readonly time: string }>(
  streams: readonly AsyncIterable<OfLease<T>>[],
  isFollowed: boolean,
): AsyncGenerator<OfLease<T>> {
  const [only] = streams;
  if (isFollowed || (only !== undefined && streams.length === 1)) {
    yield* merged(streams);
    return;
  }
  const all: OfLease<T>[] = [];
  for (const stream of streams) for await (const one of stream) all.push(one);
  yield* all.sort((a, b) => (a.entry.time < b.entry.time ? -1 : a.entry.time > b.entry.time ? 1 : 0));
}
