/** mucli trust: what a user may name as the root of trust, to be compared with what others say. */

import { readFileSync } from 'node:fs';
import { messageOf } from '@mu/lib/error-message';
import { usageError } from '../errors.ts';
import { fields } from '../output.ts';
import type { Session } from '../session.ts';

/** @param file a genesis file; what the node says where absent */
export async function showTrust(session: Session, file: string | undefined): Promise<void> {
  const { genesisHash } = await import('@mu/client/light/trust-root');
  const { hex } = await import('@mu/client/light/light-block');
  if (file !== undefined) {
    const said = { trust_genesis_hash: hex(genesisHash(readDocument(file))) };
    session.output.result(said, () => fields(said));
    return;
  }
  const { fetchGenesis } = await import('@mu/client/light/connect');
  const client = await session.client();
  const { header, commit } = await client.comet.commit();
  const said = {
    chain_id: client.chainId,
    trust_genesis_hash: hex(genesisHash(await fetchGenesis(session.config.node))),
    trust_height: header.height.toString(),
    trust_hash: hex(commit.blockId.hash),
    time: header.time.toISOString(),
  };
  session.output.step(
    `as ${session.config.node} says: compare it with a source that you trust before you write it down`,
  );
  session.output.result(said, () => fields(said));
}

function readDocument(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw usageError(`the genesis ${file} cannot be read: ${messageOf(error)}`);
  }
}
