/** Whether two manifests say the same: their salts, keys and revisions always differ. */
import { canonicalJson } from '@mu/lib/canonical-json';
import type { BuiltManifest } from './build.ts';
import { openSection } from './sections.ts';

/** @throws ManifestError when a kept key does not open its section */
export function saysTheSame(a: BuiltManifest, b: BuiltManifest): boolean {
  return contentOf(a) === contentOf(b);
}

function contentOf({ head, sectionKeys }: BuiltManifest): string {
  const sections = head.sections.map(({ infrastructure, share }) => {
    const key = sectionKeys.get(infrastructure) ?? new Uint8Array();
    return { infrastructure, share, content: openSection(head, infrastructure, key) };
  });
  return canonicalJson({ workloads: head.workloads, files: head.files, sections });
}
