/** Registries, in the errors of drivers. */
import { RegistryError } from '@mu/client/registry/errors';
import * as names from '@mu/client/registry/reference';
import * as registry from '@mu/client/registry/registry';
import { WorkloadError } from '../driver.ts';
import type { RegistryCredentials } from './engine.ts';

/** @throws WorkloadError `invalid` for what is no reference, or has no digest */
export function parseReference(text: string): names.ImageReference {
  try {
    return names.parseReference(text);
  } catch (error) {
    throw toWorkloadError(error);
  }
}

/** @throws WorkloadError `image`: it does not exist, needs credentials, differs from its digest, or is for another machine */
export async function manifestFacts(
  image: names.ImageReference,
  credentials: RegistryCredentials | undefined,
  options: registry.RegistryOptions,
): Promise<registry.ManifestFacts> {
  try {
    return await registry.manifestFacts(image, credentials, options);
  } catch (error) {
    throw toWorkloadError(error);
  }
}

function toWorkloadError(error: unknown): unknown {
  if (!(error instanceof RegistryError)) return error;
  return new WorkloadError(error.reason === 'name' ? 'invalid' : 'image', error.message);
}
