/** A new root: it stands beside the old one on the chain until nothing is served under the old one any more. */
import { equalBytes } from '@mu/lib/bytes';
import {
  forgetRoot,
  makeNextRoot,
  nextRoot,
  replacedRoot,
  settleRoot,
  switchRoot,
} from '../identity/rotation-files.ts';
import { leadBlocks, type Rotation, type RotationStep, type RotationView, restate } from './rotation.ts';

export const rootRotation: Rotation = {
  begin: (view) =>
    Promise.resolve({
      words: 'make a new root, beside the old one',
      run: () => makeNextRoot(view.identity, view.around),
    }),
  async next(view) {
    const root = nextRoot(view.identity);
    return root === undefined ? retire(view) : introduce(view, root);
  },
};

async function introduce(view: RotationView, root: Uint8Array): Promise<RotationStep> {
  const { identity, provider, height, around } = view;
  const entry = provider.roots.find(({ certificate }) => equalBytes(certificate, root));
  if (entry === undefined) {
    const validFromHeight = height + leadBlocks;
    return {
      words: `enter the new root on the chain, beside the old one; it holds from height ${validFromHeight}`,
      run: () =>
        restate(view, { roots: [...provider.roots, { certificate: root, validFromHeight, validToHeight: 0n }] }),
    };
  }
  if (height < entry.validFromHeight)
    return { words: `wait for height ${entry.validFromHeight}: from there the new root holds` };
  if (!equalBytes(identity.rootCertificate, root))
    return { words: 'certify the node by the new root', run: () => switchRoot(identity, around) };
  const daemon = await view.daemon();
  const ours = new Date(identity.nodeCertificate.notAfterMs).toISOString();
  if (daemon !== undefined && daemon.node_certificate_ends_at !== ours)
    return { words: `wait for the daemon (process ${daemon.pid}) to serve under the new root` };
  return {
    words: 'put the new root into the place of the old one, whose key is not kept',
    run: async () => settleRoot(identity, around),
  };
}

async function retire(view: RotationView): Promise<RotationStep | undefined> {
  const { identity, provider } = view;
  const old = replacedRoot(identity);
  if (old === undefined) return undefined;
  const roots = provider.roots.filter(({ certificate }) => !equalBytes(certificate, old));
  if (roots.length < provider.roots.length)
    return { words: 'take the old root off the chain', run: () => restate(view, { roots }) };
  return { words: 'throw the old root’s certificate away', run: async () => forgetRoot(identity) };
}
