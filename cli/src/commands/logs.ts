/** mucli logs LEASE: what the workloads of a lease wrote, from its provider. */
import type { Session } from '../session.ts';
import { wholeNumber } from './deployment.ts';

export async function showLogs(
  session: Session,
  leaseText: string,
  flags: { readonly follow?: boolean; readonly tail: string },
): Promise<void> {
  const number = wholeNumber(leaseText, 'LEASE');
  const tail = Number(wholeNumber(flags.tail, '--tail'));
  const { streamLogs } = await import('../provider-connection.ts');
  for await (const line of streamLogs(session, number, { tail, follow: flags.follow === true })) {
    session.output.result(line, () => `${line.time}  ${line.service}  ${line.stream}  ${line.line}`);
  }
}
