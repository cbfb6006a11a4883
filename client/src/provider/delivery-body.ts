/** The body by which a manifest is handed to a provider; provider-daemon/src/manifests/receive.ts says its form. */
import { u32be } from '@mu/lib/bytes';
import { type DeliveryBundle, encodeDelivery } from '../manifest/bundle.ts';
import type { ManifestHead } from '../manifest/head.ts';

/** Length of the first message, the first message, then the bundle's files in the order of the head. Views, not copies. */
export function deliveryBody(bundle: DeliveryBundle, head: ManifestHead): Uint8Array[] {
  const files = head.files.flatMap(({ path }) => {
    const bytes = bundle.files.get(path);
    return bytes === undefined ? [] : [{ path, bytes }];
  });
  const message = encodeDelivery({ ...bundle, files: files.map(({ path }) => path) });
  return [u32be(message.length), message, ...files.map(({ bytes }) => bytes)];
}
