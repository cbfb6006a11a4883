/** A new encryption key: the old one opens what was sealed to it until nothing on the chain is. */
import { allItems } from '@mu/client/chain/pages';
import { equalBytes } from '@mu/lib/bytes';
import { type Deployment, DeploymentState } from '@mu/proto/deployment';
import type { EncryptionKey } from '@mu/proto/provider';
import {
  forgetEncryptionKey,
  type HeldKey,
  makeNextEncryptionKey,
  nextEncryptionKey,
  replacedEncryptionKeys,
  switchEncryptionKey,
} from '../identity/rotation-files.ts';
import { withEncryptionKey } from '../setup/register.ts';
import { leadBlocks, type Rotation, type RotationStep, type RotationView, restate } from './rotation.ts';

/** For so many blocks both keys hold: who has read the old one may still use it. */
export const graceBlocks = 600n;

export const encryptionRotation: Rotation = {
  begin: (view) =>
    Promise.resolve({
      words: 'make a new encryption key, beside the old one',
      run: async () => makeNextEncryptionKey(view.identity, view.around),
    }),
  async next(view) {
    const key = nextEncryptionKey(view.identity);
    if (key !== undefined) return introduce(view, key);
    const [old] = replacedEncryptionKeys(view.identity);
    return old === undefined ? undefined : retire(view, old);
  },
};

function introduce(view: RotationView, next: HeldKey): RotationStep {
  const { identity, provider, height, around } = view;
  const entry = provider.encryptionKeys.find(({ publicKey }) => equalBytes(publicKey, next.publicKey));
  if (entry === undefined) {
    const from = height + leadBlocks;
    const to = from + graceBlocks;
    const standing = provider.encryptionKeys.map((key) =>
      equalBytes(key.publicKey, identity.encryptionPublicKey) ? { ...key, validToHeight: to } : key,
    );
    return {
      words: `enter the new key on the chain; it holds from height ${from}, the old one until ${to}`,
      run: () => restate(view, { encryptionKeys: withEncryptionKey(standing, next.publicKey, from) }),
    };
  }
  if (height < entry.validFromHeight)
    return { words: `wait for height ${entry.validFromHeight}: from there the new key holds` };
  return {
    words: 'put the new key into the place of the old one, which still opens what was sealed to it',
    run: async () => switchEncryptionKey(identity, around),
  };
}

async function retire(view: RotationView, old: HeldKey): Promise<RotationStep> {
  const { identity, provider, height } = view;
  const entry = provider.encryptionKeys.find(({ publicKey }) => equalBytes(publicKey, old.publicKey));
  if (entry === undefined)
    return { words: `throw the old key away (${old.file})`, run: async () => forgetEncryptionKey(identity, old) };
  const others = provider.encryptionKeys.filter((key) => key !== entry);
  if (entry.validToHeight === 0n) {
    const ended = { ...entry, validToHeight: height + leadBlocks };
    return {
      words: 'let the old key end on the chain',
      run: () => restate(view, { encryptionKeys: [ended, ...others] }),
    };
  }
  if (height <= entry.validToHeight)
    return { words: `wait for height ${entry.validToHeight}: until there the old key holds` };
  const sealed = await sealedTo(view, entry);
  if (sealed !== undefined) {
    const { owner = '', dseq = 0n } = sealed.id ?? {};
    return { words: `wait for deployment ${owner}/${dseq}, whose manifest on the chain is sealed to the old key` };
  }
  return { words: 'take the old key off the chain', run: () => restate(view, { encryptionKeys: others }) };
}

/** A deployment whose manifest stands on the chain sealed to this key; undefined where there is none. */
async function sealedTo({ client, provider }: RotationView, { keyId }: EncryptionKey): Promise<Deployment | undefined> {
  const state = DeploymentState.DEPLOYMENT_STATE_ACTIVE;
  const deployments = await allItems(
    (pagination) => client.deployment.deployments({ state, pagination }),
    (page) => page.deployments,
  );
  return deployments.find(
    ({ sealedManifest: sealed }) => sealed?.provider === provider.owner && sealed.keyId === keyId,
  );
}
