/** Errors of the registry: (codespace `provider`, code) is consensus, the texts are not. */
import { type ErrorKind, registerError } from '@mu/framework/errors';
import { moduleName } from './keys.ts';

const provider = (code: number, text: string): ErrorKind => registerError(moduleName, code, text);

export const errRegistered = provider(2, 'provider is registered already');
export const errNotRegistered = provider(3, 'provider is not registered');
export const errNotActive = provider(4, 'provider is not active');
export const errUri = provider(5, 'not an address that can be reached');
export const errRegion = provider(6, 'unknown region');
export const errService = provider(7, 'unknown service');
export const errMetric = provider(8, 'unknown metric');
export const errOperator = provider(9, 'operators are wrong');
export const errKey = provider(10, 'a key has the wrong size');
export const errRoot = provider(11, 'root certificates are wrong');
export const errAttribute = provider(12, 'attributes are wrong');
export const errPrices = provider(13, 'price list is wrong');
export const errTooManyLists = provider(14, 'too many price lists');
export const errNodeExists = provider(15, 'node exists already');
export const errNodeNotFound = provider(16, 'node does not exist');
export const errNode = provider(17, 'node is wrong');
export const errNodeSignature = provider(18, 'the node authority did not sign this node');
export const errTooManyNodes = provider(19, 'too many nodes');
export const errNodeRemoved = provider(20, 'node is removed already');
export const errReason = provider(21, 'a node is removed as retired or compromised');
export const errParams = provider(22, 'parameters are wrong');
export const errBusy = provider(23, 'provider has open bids or live leases');
export const errNoAttestation = provider(24, 'auditor states nothing of this provider');
export const errKeyReused = provider(25, 'an encryption key_id is for one key only');
export const errLastKey = provider(26, 'the last encryption key stays until a later one comes');
