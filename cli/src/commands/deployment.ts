/** mucli tx deployment cancel, deposit and withdraw, and mucli deployment send-manifest: a deployment that stands. */
import { readCoin, wholeNumber } from '../arguments.ts';
import { Delivery } from '../delivery.ts';
import { CliError } from '../errors.ts';
import { marksOf, rotateText } from '../rotate.ts';
import type { Session } from '../session.ts';
import { reportTx } from './tx.ts';

export async function cancelDeployment(session: Session, dseqText: string): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const [{ MsgCancelDeployment }, { toEncodeObject }] = await Promise.all([
    import('@mu/proto/deployment'),
    import('@mu/client/chain/registry'),
  ]);
  const sender = await session.sender();
  reportTx(session, await sender.sendAndWait([toEncodeObject(MsgCancelDeployment, { owner: sender.address, dseq })]), {
    dseq,
  });
}

/** Moves coins into the escrow of a deployment, one's own or another's, or out of it: the sender's share, above the reserve. */
export async function moveEscrow(
  session: Session,
  way: 'deposit' | 'withdraw',
  what: { readonly dseq: string; readonly amount: string; readonly owner: string | undefined },
): Promise<void> {
  const dseq = wholeNumber(what.dseq, 'DSEQ');
  const amount = await readCoin(what.amount);
  const [{ MsgDeposit, MsgWithdraw }, { toEncodeObject }] = await Promise.all([
    import('@mu/proto/billing'),
    import('@mu/client/chain/registry'),
  ]);
  const sender = await session.sender();
  const owner = what.owner ?? sender.address;
  const fields = { depositor: sender.address, owner, dseq, amount };
  const message = way === 'deposit' ? toEncodeObject(MsgDeposit, fields) : toEncodeObject(MsgWithdraw, fields);
  reportTx(session, await sender.sendAndWait([message]), { owner, dseq, amount: what.amount });
}

/** Delivers the manifest again to every holder of a lease that lacks it. */
export async function sendManifest(session: Session, dseqText: string): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const client = await session.client();
  const owner = await session.address();
  const { manifestFolder } = await import('../prepare.ts');
  const { deployment } = await client.deployment.deployment({ owner, dseq });
  const built = manifestFolder(session).latest({ chainId: client.chainId, owner, dseq }, deployment?.revision);
  if (built === undefined)
    throw new CliError(
      `no manifest of deployment ${dseq} is kept in ${session.config.home}: it was created elsewhere; run this where it was`,
    );
  const { viewDeployment } = await import('@mu/client/deployment/follow');
  const wallet = await session.tenantWallet();
  const delivery = new Delivery(session, { owner, dseq, wallet, built, everybody: true });
  const view = await viewDeployment(client, owner, dseq);
  const sentTo = await delivery.deliver(view);
  const rotate = deployment === undefined ? [] : await marksOf(session, deployment, view);
  const lacking = delivery.lacking(view);
  const done = [
    ...(sentTo.length === 0 ? [] : [`delivered to ${sentTo.join(', ')}`]),
    ...(lacking.length === 0 ? [] : [`${lacking.join(', ')} did not take it: try again`]),
  ];
  if (done.length === 0) done.push('every holder of a lease has the manifest');
  session.output.result({ dseq, delivered_to: sentTo, lacking, rotate }, () =>
    [...done, ...rotateText(rotate)].join('\n'),
  );
}
