/** mucli deployment exec: a command, or a shell with a terminal, in a container of a deployment. */
import { type ExecConnection, leaseStatus, openExec } from '@mu/client/provider/provider-client';
import { wholeNumber } from '../arguments.ts';
import { CliError, usageError } from '../errors.ts';
import { doorOf, doorsOf, type LeaseDoor } from '../provider-connection.ts';
import type { Session } from '../session.ts';
import { deploymentOf, type OwnerFlag } from './status.ts';

export interface ExecFlags extends OwnerFlag {
  readonly service?: string;
  readonly instance: string;
  /** Hand on the standard input. */
  readonly stdin?: boolean;
  /** A terminal. */
  readonly tty?: boolean;
  /** Number of the lease, where several have the service. */
  readonly lease?: string;
}

/** Runs a command; mucli ends with its exit code. */
export async function execInDeployment(
  session: Session,
  [dseqText = '', ...command]: readonly string[],
  flags: ExecFlags,
): Promise<void> {
  const instance = Number(wholeNumber(flags.instance, '--instance'));
  if (command.length === 0) throw usageError('which command? Write it behind --, like `-- sh`');
  const tty = flags.tty === true;
  if (tty && !(process.stdin.isTTY && process.stdout.isTTY))
    throw usageError('-t needs a terminal on both ends: leave it out where input or output is a pipe');
  const of = await deploymentOf(session, dseqText, flags);
  const doors =
    flags.lease === undefined
      ? await doorsOf(session, of)
      : [await doorOf(session, wholeNumber(flags.lease, '--lease'))];
  const { door, service } = await chosen(doors, flags.service);
  const access = await door.access('exec');
  const { number: lease } = door.lease;
  const connection = await openExec(await door.at(), { access, lease, service, instance, command, tty });
  process.exitCode = await carry(connection, { tty, stdin: flags.stdin === true });
}

/** The lease whose provider runs the service; with one container alone its name may be left out. */
async function chosen(
  doors: readonly LeaseDoor[],
  named: string | undefined,
): Promise<{ door: LeaseDoor; service: string }> {
  const [only] = doors;
  if (only !== undefined && doors.length === 1 && named !== undefined) return { door: only, service: named };
  const found = (
    await Promise.all(
      doors.map(async (door) => {
        const { services } = await leaseStatus(await door.at(), await door.access('read'), door.lease.number);
        return services.filter(({ kind }) => kind === 'container').map(({ service }) => ({ door, service }));
      }),
    )
  ).flat();
  const fitting = found.filter(({ service }) => named === undefined || service === named);
  const [first] = fitting;
  if (first !== undefined && fitting.length === 1) return first;
  const names = [...new Set(found.map(({ service, door }) => `${service} (lease ${door.lease.number})`))].join(', ');
  if (found.length === 0) throw new CliError('no container runs: functions have no shell, see their logs instead');
  throw usageError(`in which container? Say --service, and --lease where several have it; there are: ${names}`);
}

/** Terminal or pipes on this side, and the command on the other. @returns its exit code */
async function carry(
  connection: ExecConnection,
  { tty, stdin }: { readonly tty: boolean; readonly stdin: boolean },
): Promise<number> {
  const resize = (): void => connection.resize(process.stdout.columns, process.stdout.rows);
  // Node tells a terminal's change of size (SIGWINCH) by its output stream.
  if (tty) process.stdout.on('resize', resize);
  if (tty) resize();
  if (tty && stdin) process.stdin.setRawMode(true);
  const sending = stdin ? send(connection) : undefined;
  if (!stdin) connection.end();
  try {
    for await (const { stream, data } of connection.output) {
      const to = stream === 'stdout' ? process.stdout : process.stderr;
      if (!to.write(data)) await new Promise((resolve) => to.once('drain', resolve));
    }
    return await connection.exitCode;
  } finally {
    process.stdout.off('resize', resize);
    if (tty && stdin) process.stdin.setRawMode(false);
    sending?.stop();
    connection.close();
  }
}

function send(connection: ExecConnection): { stop(): void } {
  const { stdin } = process;
  const onData = (data: Uint8Array): void => {
    stdin.pause();
    void connection.write(data).then(() => stdin.destroyed || stdin.resume());
  };
  const onEnd = (): void => connection.end();
  stdin.on('data', onData).once('end', onEnd);
  return {
    stop() {
      stdin.off('data', onData).off('end', onEnd);
      // Nobody reads it any more: mucli ends with the command.
      stdin.destroy();
    },
  };
}
