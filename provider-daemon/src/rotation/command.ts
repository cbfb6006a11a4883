/** `mu-provider rotate root|node|encryption [--yes] [--wait]`. */
import { randomBytes } from 'node:crypto';
import type { ProviderConfig } from '../config/schema.ts';
import { askIfThere } from '../operators/admin-client.ts';
import type { Shown } from '../operators/commands/show.ts';
import { adminSocket } from '../operators/servers.ts';
import { connectChain, senderOf } from '../setup/connect.ts';
import { identityFolder } from '../setup/places.ts';
import { encryptionRotation } from './encryption.ts';
import { nodeRotation } from './node.ts';
import { rootRotation } from './root.ts';
import { firstStep, type Rotated, type Rotation, type RotationKind, type RunningDaemon, rotate } from './rotation.ts';

export const rotations: Readonly<Record<RotationKind, Rotation>> = {
  root: rootRotation,
  node: nodeRotation,
  encryption: encryptionRotation,
};

export interface RotateFlags {
  readonly yes: boolean;
  readonly wait: boolean;
}

/** @throws Error without `yes`, which says what would be done; ChainError, IdentityError */
export async function rotateByCommand(
  config: ProviderConfig,
  kind: RotationKind,
  { yes, wait }: RotateFlags,
): Promise<Shown> {
  const client = await connectChain(config);
  try {
    const options = {
      kind,
      config,
      folder: identityFolder(config),
      client,
      sender: await senderOf(config, client, 'owner'),
      operator: () => senderOf(config, client, 'operator'),
      daemon: () => askIfThere<RunningDaemon>(adminSocket(config.node.dataFolder), 'GET /status'),
      around: { now: Date.now, random: (length: number) => new Uint8Array(randomBytes(length)) },
      pause: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
      wait,
      onStep: (text: string) => void process.stderr.write(`${text}\n`),
    };
    if (!yes)
      throw new Error(`nothing was done: say --yes to go on. First: ${await firstStep(rotations[kind], options)}`);
    const value = await rotate(rotations[kind], options);
    return { value, text: () => textOf(value) };
  } finally {
    client.disconnect();
  }
}

function textOf({ done, waiting }: Rotated): string {
  return done ? 'done' : `not yet: ${waiting}. Ask again then, or with --wait`;
}
