/** The body by which a manifest is handed to a provider; provider-daemon/src/manifests/receive.ts says its form. */
import { concatBytes, u32be } from '@mu/lib/bytes';
import { type DeliveryBundle, encodeDelivery } from '../manifest/bundle.ts';
import { bytesSource, type FileSource, joined } from '../manifest/file-source.ts';
import type { ManifestHead } from '../manifest/head.ts';

/** Length of the first message, the first message, then the bundle's files in the order of the head, as a stream. */
export function deliveryBody(bundle: DeliveryBundle, head: ManifestHead): FileSource {
  const files = head.files.flatMap(({ path }) => {
    const source = bundle.files.get(path);
    return source === undefined ? [] : [{ path, source }];
  });
  const message = encodeDelivery({ ...bundle, files: files.map(({ path }) => path) });
  const first = bytesSource(concatBytes(u32be(message.length), message));
  return joined([first, ...files.map(({ source }) => source)]);
}
