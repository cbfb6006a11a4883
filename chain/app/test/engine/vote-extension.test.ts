/** Vote extensions under the embedded engine: off until the parameters say so, then part of each next proposal. */
import { createPublicKey, verify } from 'node:crypto';
import { toHex } from '@mu/lib/bytes';
import { extensionSignBytes } from '../../src/engine/vote-extension.ts';
import { bytes, Home, type Node } from './harness.ts';

let home: Home;
beforeEach(() => {
  home = new Home();
});
afterEach(() => home.remove());

/** What the proposals of the heights were told of the votes before them. */
function told({ app }: Node): string[] {
  return app.prepared.map(({ height, localLastCommit }) => {
    const [vote] = localLastCommit.votes;
    return `${height}: ${Buffer.from(vote?.voteExtension ?? []).toString()}`;
  });
}

test('sign bytes are CometBFT’s (types.VoteExtensionSignBytes of 0.38.26)', () => {
  const hex = (extension: string): string => toHex(extensionSignBytes('kv-1', 3n, bytes(extension)));
  expect(hex('said 3')).toBe('170a0673616964203311030000000000000022046b762d31');
  expect(hex('')).toBe('0f11030000000000000022046b762d31');
});

test('the application is not asked before the height of the parameters', async () => {
  const { engine, app } = await home.started(
    {},
    { consensus_params: { abci: { vote_extensions_enable_height: '3' } } },
  );
  await engine.advance(4);
  expect(app.extended).toEqual([3n, 4n]);
});

test('an update enables them later; each extension is signed and handed to the next proposal, over a restart too', async () => {
  const node = await home.started();
  await node.engine.advance(1);
  node.app.nextParams = { abci: { voteExtensionsEnableHeight: 4n } };
  await node.engine.advance(4);
  expect(told(node)).toEqual(['1: ', '2: ', '3: ', '4: ', '5: said 4']);
  await node.engine.stop();
  const again = await home.started();
  await again.engine.advance(1);
  expect(told(again)).toEqual(['6: said 5']);
  const [vote] = again.app.prepared[0]!.localLastCommit.votes;
  const x = Buffer.from(again.engine.validator.publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  expect(verify(null, extensionSignBytes('kv-1', 5n, bytes('said 5')), key, vote!.extensionSignature)).toBe(true);
});

test('a height that is no longer ahead stops the engine, as it stops CometBFT', async () => {
  const { engine, app } = await home.started();
  await engine.advance(2);
  app.nextParams = { abci: { voteExtensionsEnableHeight: 3n } };
  await expect(engine.advance()).rejects.toThrow('vote extensions cannot be updated to a past or current height');
});
