/** How manifests are kept and shared with other providers, and which of those are spoken with. */
import * as kind from '../kinds.ts';
import { type Section, setting } from '../setting.ts';

export const manifests = {
  doc: 'Manifests of deployments that are, or were, served here, and how they are shared with the other participants.',
  settings: {
    uploadRateBytes: setting(
      kind.whole(0, 1_000_000_000_000),
      0,
      'Bytes a second that are sent to other participants, of all manifests together; 0: no limit.',
    ),
    downloadRateBytes: setting(
      kind.whole(0, 1_000_000_000_000),
      0,
      'Bytes a second that are taken from other participants, of all manifests together; 0: no limit.',
    ),
    maxPeers: setting(kind.whole(1, 10_000), 256, 'Connections with other participants at a time, of all manifests.'),
    serveGraceBlocks: setting(
      kind.count(0n),
      100n,
      'Blocks for which a manifest is kept after its last lease here has ended normally, so that its other participants can take it; 0: it is erased at once.',
    ),
  },
} satisfies Section;

export const network = {
  doc: 'With whom the daemon speaks.',
  settings: {
    allowPrivatePeers: setting(
      kind.yesNo,
      false,
      'Allow private, loopback and link-local peers; for local networks only.',
    ),
  },
} satisfies Section;
